"""The checks of exchanges find what is wrong with them: each exchange here is right but for one thing."""

import dataclasses
import email.utils
import json
import time
import unittest

import bad_inputs
import model
import proxy
import raw
import wire

ID = "00000000-0000-4000-8000-000000000000"
NODE = "i-0c0ffee0c0ffee001"
STATE = {
    "InstanceId": NODE,
    "PatchGroup": "weekly",
    "BaselineId": "pb-0c0ffee0c0ffee001",
    "OperationStartTime": 1772330400.0,
    "OperationEndTime": 1772330460.5,
    "Operation": "Scan",
}
XMLNS = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
IDENTITY = (
    f"<GetCallerIdentityResponse {XMLNS}><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/me</Arn>"
    "<UserId>AIDAAAAAAAAAAAAAAAAAA</UserId><Account>111122223333</Account></GetCallerIdentityResult>"
    f"<ResponseMetadata><RequestId>{ID}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
)


def exchange(service, path, headers, body, kind, answer, status=200):
    """An exchange whose answer has just come."""
    signed = {"authorization": raw.AUTHORIZATION.format(region="us-east-1", service=service)}
    bears = {"content-type": kind, "x-amzn-requestid": ID, "date": email.utils.formatdate(usegmt=True)}
    return proxy.Exchange(
        "POST",
        path,
        signed | headers,
        body.encode(),
        status,
        bears,
        answer.encode(),
        whole=True,
        answered_at=time.time(),
    )


def patch_states(answer, request=None, status=200):
    """DescribeInstancePatchStates."""
    headers = {"x-amz-target": "AmazonSSM.DescribeInstancePatchStates", "content-type": "application/x-amz-json-1.1"}
    asked = json.dumps({"InstanceIds": [NODE]} if request is None else request)
    told = answer if isinstance(answer, str) else json.dumps(answer)
    return exchange("ssm", "/", headers, asked, "application/x-amz-json-1.1", told, status)


def state(**changed):
    """One patch state, with members changed."""
    return {"InstancePatchStates": [STATE | changed]}


def identity(answer, status=200):
    """GetCallerIdentity."""
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return exchange("sts", "/", headers, "Action=GetCallerIdentity&Version=2011-06-15", "text/xml", answer, status)


def groups(path, answer, status=200):
    """ListGroups."""
    one = exchange(
        "resource-groups", path, {"content-type": "application/json"}, "", "application/json", answer, status
    )
    one.answer_headers["x-amzn-errortype"] = "BadRequestException"
    return one


class RightExchanges(unittest.TestCase):
    """What is right passes, and is counted."""

    def test_right_exchanges_have_no_problems(self):
        refusal = '{"Message": "no"}'
        for one in [
            patch_states(state()),
            patch_states({"__type": "com.amazonaws.ssm#InvalidNextToken", "Message": "no"}, status=400),
            patch_states({"__type": "ValidationException", "message": "no"}, {"InstanceIds": ["x"]}, 400),
            identity(IDENTITY),
            groups("/groups-list?maxResults=5", refusal, 400),
        ]:
            self.assertEqual(wire.Audit().problems(one), [])

    def test_members_and_errors_are_counted(self):
        audit = wire.Audit()
        audit.problems(patch_states(state()))
        audit.problems(patch_states({"__type": "InvalidNextToken", "Message": "no"}, status=400))
        self.assertIn(("ssm", "InstancePatchState", "BaselineId"), audit.coverage.shown)
        self.assertIn(("ssm", "DescribeInstancePatchStatesRequest", "InstanceIds"), audit.coverage.sent)
        self.assertEqual(audit.coverage.errors, {("ssm", "DescribeInstancePatchStates", "InvalidNextToken")})


class WrongExchanges(unittest.TestCase):
    """What is wrong in one place is found."""

    def assert_found(self, one, words):
        """Exactly one problem, with these words."""
        problems = wire.Audit().problems(one)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(words, problems[0])

    def test_answers_in_json(self):
        without = {key: value for key, value in STATE.items() if key != "BaselineId"}
        for answer, words in [
            ({"InstancePatchStates": [without]}, "required"),
            (state(Surprise=1), "no such member"),
            (state(Operation="Guess"), "not of the enum"),
            (state(OperationEndTime="2026-03-01T02:00:00Z"), "not a time"),
            (state(MissingCount="3"), "is no integer"),
            (state(MissingCount=True), "is no integer"),
            (state(MissingCount=None), "is no integer"),
            (state(MissingCount=2**31), "does not fit"),
            (state(InstanceId="i-short"), "not of the pattern"),
            (state(InstanceId=f"{NODE}\n"), "not of the pattern"),
            (state(InstallOverrideList="https://" + "x" * 257), "characters where InstallOverrideList"),
            ({"InstancePatchStates": {}}, "is no list"),
            ('{"InstancePatchStates": [], "InstancePatchStates": []}', "twice"),
            ('{"InstancePatchStates": [', "not JSON"),
            ("[]", "not a JSON object"),
        ]:
            with self.subTest(words=words, answer=answer):
                self.assert_found(patch_states(answer), words)

    def test_errors_in_json(self):
        for answer, status, words in [
            ({"__type": "InvalidNextToken", "Message": "no"}, 404, "has status 400"),
            ({"__type": "InternalServerError", "Message": "no"}, 400, "has status 500"),
            ({"__type": "InvalidDocument", "Message": "no"}, 400, "neither modelled"),
            ({"__type": "InvalidNextToken", "message": "no"}, 400, "no such member"),
            ({"Message": "no"}, 400, "which error"),
        ]:
            with self.subTest(words=words):
                problems = wire.Audit().problems(patch_states(answer, status=status))
                self.assertTrue(any(words in problem for problem in problems), problems)

    def test_headers(self):
        for header, value, words in [
            ("x-amzn-requestid", "7", "x-amzn-RequestId"),
            ("date", "today", "Date"),
            ("content-type", "text/plain", "Content-Type"),
        ]:
            with self.subTest(header=header):
                one = patch_states(state())
                one.answer_headers[header] = value
                self.assert_found(one, words)

    def test_answers_in_xml(self):
        for answer, words in [
            (IDENTITY.replace(XMLNS, ""), "namespace"),
            (IDENTITY.replace("Account>", "Surprise>"), "no such member"),
            (IDENTITY.replace(ID, "7"), "RequestId"),
            (IDENTITY.replace("GetCallerIdentityResult>", "Result>"), "elements of the answer"),
            (IDENTITY[:-3], "not XML"),
        ]:
            with self.subTest(words=words):
                self.assert_found(identity(answer), words)

    def test_an_input_that_the_model_forbids_has_to_be_refused(self):
        for request in [{}, {"InstanceIds": ["x"]}, {"InstanceIds": [NODE], "MaxResults": 9}]:
            self.assert_found(patch_states(state(), request), "the model forbids it")

    def test_requests(self):
        self.assert_found(groups("/groups-list?surprise=5", "{}"), "no members of ListGroups")
        unsigned = patch_states(state())
        del unsigned.headers["authorization"]
        self.assert_found(unsigned, "Signature Version 4")
        strict = wire.Audit(strict=True).problems(patch_states({"__type": "ValidationException"}, {}, 400))
        self.assertEqual(len(strict), 1, strict)

    def test_a_broken_answer_is_expected_of_a_fault_alone(self):
        broken = dataclasses.replace(patch_states(state()), whole=False)
        self.assert_found(broken, "did not come whole")
        self.assertEqual(wire.Audit().problems(dataclasses.replace(broken, injected=True)), [])


class BadInputs(unittest.TestCase):
    """Every input that is made to be wrong is wrong by the model."""

    def test_each_is_wrong(self):
        shape = model.service("ssm").operation_model("StartAutomationExecution").input_shape
        right = {
            "DocumentName": "Fleet-Patch",
            "Parameters": {"Operation": ["Scan"]},
            "Mode": "Auto",
            "Tags": [{"Key": "Team", "Value": "ops"}],
            "MaxErrors": "10%",
        }
        made = list(bad_inputs.of(shape, right))
        self.assertGreater(len(made), 20)
        for what, wrong in made:
            check = model.Check(text_scalars=False)
            check.value(shape, wrong, "input")
            self.assertTrue(check.problems, what)


if __name__ == "__main__":
    unittest.main()
