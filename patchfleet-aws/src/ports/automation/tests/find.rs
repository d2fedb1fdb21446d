//! Finding executions, and reading one.

use super::*;

#[tokio::test]
async fn finding_asks_by_tag_and_document_and_leaves_children_out() {
    let http = FakeHttp::new(|_, _| {
        let found = |id: &str, document: &str, parent: Option<&str>| json!({ "AutomationExecutionId": id, "DocumentName": document, "ParentAutomationExecutionId": parent });
        let body = json!({ "NextToken": "n", "AutomationExecutionMetadataList": [
            found(EXECUTION, "Mine", None),
            found(CHILD, "Mine", Some(EXECUTION)),
            found(COMMAND, "Mine-Too", None),
        ]});
        Ok(response(200, body.to_string()))
    });
    let page = http
        .aws()
        .find(&"Mine".parse().unwrap(), "patchfleet:campaign", None)
        .await
        .unwrap();
    assert_eq!(page.items, [id(EXECUTION)]);
    assert_eq!(page.next, Some(PageToken::new("n")));
    let sent: serde_json::Value = serde_json::from_str(&http.calls()[0].body).unwrap();
    assert_eq!(
        sent,
        json!({ "MaxResults": 50, "Filters": [
            { "Key": "TagKey", "Values": ["patchfleet:campaign"] },
            { "Key": "DocumentNamePrefix", "Values": ["Mine"] },
        ]})
    );
}

#[tokio::test]
async fn the_children_of_an_execution_are_asked_for_in_their_own_location() {
    let http = FakeHttp::new(|_, _| {
        let body = json!({ "NextToken": "n", "AutomationExecutionMetadataList": [
            { "AutomationExecutionId": CHILD, "ParentAutomationExecutionId": EXECUTION },
        ]});
        Ok(response(200, body.to_string()))
    });
    let page = http
        .aws()
        .children(&own("eu-west-1"), &id(EXECUTION), Some(PageToken::new("p")))
        .await
        .unwrap();
    assert_eq!(page.items, [id(CHILD)]);
    assert_eq!(page.next, Some(PageToken::new("n")));
    let call = &http.calls()[0];
    assert_eq!(
        (call.operation.as_str(), call.region.as_str()),
        ("DescribeAutomationExecutions", "eu-west-1")
    );
    let sent: serde_json::Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!(
        sent,
        json!({ "MaxResults": 50, "NextToken": "p", "Filters": [
            { "Key": "ParentExecutionId", "Values": [EXECUTION] },
        ]})
    );
}

#[tokio::test]
async fn a_document_named_by_its_arn_is_found_under_either_name() {
    let http = FakeHttp::new(|_, _| {
        let body = json!({ "AutomationExecutionMetadataList": [
            { "AutomationExecutionId": EXECUTION, "DocumentName": "Mine" },
            { "AutomationExecutionId": CHILD, "DocumentName": "arn:aws:ssm:us-east-1:1:document/Mine" },
            { "AutomationExecutionId": COMMAND, "DocumentName": "Yours" },
        ]});
        Ok(response(200, body.to_string()))
    });
    let arn = "arn:aws:ssm:us-east-1:111122223333:document/Mine"
        .parse()
        .unwrap();
    let page = http.aws().find(&arn, "k", None).await.unwrap();
    assert_eq!(page.items, [id(EXECUTION), id(CHILD)]);
    assert!(!http.calls()[0].body.contains("DocumentNamePrefix"));
}

#[tokio::test]
async fn an_execution_is_read_with_its_parameters_and_awss_time() {
    let http = FakeHttp::new(|_, _| {
        let body = json!({ "AutomationExecution": {
            "AutomationExecutionStatus": "TimedOut", "FailureMessage": "too slow",
            "ExecutionStartTime": 1_583_737_233.748, "Parameters": { "Operation": ["Scan"] },
        }});
        Ok(response(200, body.to_string()))
    });
    let view = http.aws().execution(&id(EXECUTION)).await.unwrap();
    assert_eq!(view.status, ExecutionStatus::TimedOut);
    assert_eq!(view.failure, "too slow");
    assert_eq!(view.started_at.unwrap().as_millisecond(), 1_583_737_233_748);
    assert_eq!(view.parameters["Operation"], ["Scan"]);
}
