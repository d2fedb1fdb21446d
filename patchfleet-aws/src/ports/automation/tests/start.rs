//! Starting an execution: what is sent, and what its failures mean.

use super::*;

#[tokio::test]
async fn a_start_sends_the_request_its_token_and_nothing_else() {
    let http = FakeHttp::new(|_, _| {
        Ok(response(
            200,
            json!({ "AutomationExecutionId": EXECUTION }).to_string(),
        ))
    });
    let started = http
        .aws()
        .start(&request(), client_token(), jiff::Timestamp::MAX)
        .await
        .unwrap();
    assert_eq!(started, id(EXECUTION));
    let calls = http.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].operation.as_str(), calls[0].region.as_str()),
        ("StartAutomationExecution", "us-east-1")
    );
    let sent: serde_json::Value = serde_json::from_str(&calls[0].body).unwrap();
    let mut expected = serde_json::to_value(request()).unwrap();
    expected["ClientToken"] = json!("deadbeef-0000-5000-8000-123456789012");
    // The SDK always writes this one, with AWS's own default.
    expected["TargetLocations"][0]["IncludeChildOrganizationUnits"] = json!(false);
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_start_with_an_alarm_sends_it_as_the_plan_has_it() {
    let http = FakeHttp::new(|_, _| {
        Ok(response(
            200,
            json!({ "AutomationExecutionId": EXECUTION }).to_string(),
        ))
    });
    let alarmed = StartRequest {
        alarm: Some("web errors".parse().unwrap()),
        ..request()
    };
    http.aws()
        .start(&alarmed, client_token(), jiff::Timestamp::MAX)
        .await
        .unwrap();
    let sent: serde_json::Value = serde_json::from_str(&http.calls()[0].body).unwrap();
    let expected = json!({"Alarms": [{"Name": "web errors"}], "IgnorePollAlarmFailure": false});
    assert_eq!(sent["AlarmConfiguration"], expected);
    let planned = serde_json::to_value(&alarmed).unwrap();
    assert_eq!(planned["AlarmConfiguration"], expected);
    let read: StartRequest = serde_json::from_value(planned).unwrap();
    assert_eq!(read, alarmed);
}

#[tokio::test]
async fn an_execution_that_its_alarm_stopped_says_so() {
    for (state, expected) in [
        ("ALARM", TriggeredAlarm::Alarm),
        ("UNKNOWN", TriggeredAlarm::Unknown),
        ("HIBERNATING", TriggeredAlarm::Unknown),
    ] {
        let http = FakeHttp::new(move |_, _| {
            let alarms = json!([{"Name": "web errors", "State": state}]);
            let execution = json!({
                "AutomationExecutionId": EXECUTION, "AutomationExecutionStatus": "Cancelled", "TriggeredAlarms": alarms,
            });
            Ok(response(
                200,
                json!({ "AutomationExecution": execution }).to_string(),
            ))
        });
        let view = http.aws().execution(&id(EXECUTION)).await.unwrap();
        assert_eq!(view.triggered, Some(expected), "{state}");
    }
}

#[tokio::test]
async fn a_start_that_names_a_version_sends_its_number_as_text() {
    let http = FakeHttp::new(|_, _| {
        Ok(response(
            200,
            json!({ "AutomationExecutionId": EXECUTION }).to_string(),
        ))
    });
    let pinned = StartRequest {
        document_version: Some("7".parse().unwrap()),
        ..request()
    };
    http.aws()
        .start(&pinned, client_token(), jiff::Timestamp::MAX)
        .await
        .unwrap();
    let sent: serde_json::Value = serde_json::from_str(&http.calls()[0].body).unwrap();
    assert_eq!(sent["DocumentVersion"], json!("7"));
}

/// What a start ends with where AWS's answers to its attempts are these.
async fn start_error(
    answer: fn(usize) -> Result<HttpResponse, ConnectorError>,
) -> (PortErrorKind, Sent, usize) {
    let http = FakeHttp::new(move |_, before| answer(before));
    let error = http
        .aws()
        .start(&request(), client_token(), jiff::Timestamp::MAX)
        .await
        .unwrap_err();
    let calls = http.calls();
    assert!(
        calls.iter().all(|call| call.body == calls[0].body),
        "every attempt is the same request"
    );
    (error.kind(), error.sent(), calls.len())
}

#[tokio::test]
async fn a_start_that_aws_throttles_is_answered_at_once_and_had_no_effect() {
    // Whoever tries again may be a function that does not live as long as this call would wait for its turns.
    let throttled = start_error(|_| Ok(json_error(400, "ThrottlingException", "Rate exceeded"))).await;
    assert_eq!(throttled, (PortErrorKind::Throttled, Sent::No, 1));
}

#[tokio::test]
async fn a_start_that_every_attempt_was_refused_had_no_effect() {
    let full = start_error(|_| {
        Ok(json_error(
            400,
            "AutomationExecutionLimitExceededException",
            "full",
        ))
    })
    .await;
    assert_eq!(full, (PortErrorKind::LimitExceeded, Sent::No, 1));
    let other = start_error(|_| Ok(json_error(400, "IdempotentParameterMismatch", "other"))).await;
    assert_eq!(other, (PortErrorKind::TokenMismatch, Sent::No, 1));
}

/// AWS names neither the role nor the parameter.
#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_named() {
    let words = "The defined assume role is unable to be assumed.";
    let code = "InvalidAutomationExecutionParametersException";
    let http = FakeHttp::new(move |_, _| Ok(json_error(400, code, words)));
    let mut with_a_role = request();
    let role = "arn:aws:iam::111122223333:role/Administration";
    let parameters = &mut with_a_role.parameters;
    parameters.insert("AutomationAssumeRole".to_owned(), vec![role.to_owned()]);
    let error = http
        .aws()
        .start(&with_a_role, client_token(), jiff::Timestamp::MAX)
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.sent()), (PortErrorKind::Invalid, Sent::No));
    assert_eq!(
        error.reason(),
        "InvalidAutomationExecutionParametersException: The defined assume role is unable to be assumed. \
         AutomationAssumeRole is arn:aws:iam::111122223333:role/Administration: see that this role is there and trusts \
         ssm.amazonaws.com"
    );
    assert!(error.chain().contains(role), "{}", error.chain());

    let other = "Parameter Nodes is not valid";
    let http = FakeHttp::new(move |_, _| Ok(json_error(400, code, other)));
    let error = http
        .aws()
        .start(&with_a_role, client_token(), jiff::Timestamp::MAX)
        .await
        .unwrap_err();
    assert!(!error.chain().contains(role), "{}", error.chain());
}

#[tokio::test]
async fn a_start_whose_first_attempt_was_lost_may_have_taken_effect_whatever_the_last_one_says() {
    let broken = start_error(|before| match before {
        0 => Err(ConnectorError::io("connection reset".into())),
        _ => Ok(json_error(400, "AccessDeniedException", "no")),
    })
    .await;
    assert_eq!(broken, (PortErrorKind::Denied, Sent::Maybe, 2));
    let failed = start_error(|before| match before {
        0 => Ok(json_error(500, "InternalServerError", "oops")),
        _ => Ok(json_error(400, "ThrottlingException", "Rate exceeded")),
    })
    .await;
    // The second attempt is the SDK's own; there is no third, since the first may have had an effect.
    assert_eq!(failed, (PortErrorKind::Throttled, Sent::Maybe, 2));
    let unheard = start_error(|before| match before {
        0 => Err(ConnectorError::io(
            std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into(),
        )),
        _ => Ok(json_error(400, "AccessDeniedException", "no")),
    })
    .await;
    assert_eq!(unheard, (PortErrorKind::Denied, Sent::No, 2));
}

#[tokio::test]
async fn a_start_is_made_again_with_new_credentials_unless_it_may_have_taken_effect() {
    let expired = |_| Ok(json_error(400, "ExpiredTokenException", "expired"));
    let none = start_error(expired).await;
    assert_eq!(none, (PortErrorKind::Credentials, Sent::No, 3));
    // The second call is the SDK's own attempt; there is no third.
    let lost = start_error(|before| match before {
        0 => Err(ConnectorError::io("connection reset".into())),
        _ => Ok(json_error(400, "ExpiredTokenException", "expired")),
    })
    .await;
    assert_eq!(lost, (PortErrorKind::Credentials, Sent::Maybe, 2));
}

#[tokio::test]
async fn a_start_whose_answer_has_no_id_was_made() {
    let (kind, sent, _) = start_error(|_| Ok(response(200, "{}"))).await;
    assert_eq!((kind, sent), (PortErrorKind::Other, Sent::Maybe));
}
