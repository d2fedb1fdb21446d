//! Stopping an execution.

use super::*;
use patchfleet_core::port::StopType;

#[tokio::test]
async fn a_stop_names_the_execution_and_how_it_is_to_end() {
    for (kind, sent) in [(StopType::Cancel, "Cancel"), (StopType::Complete, "Complete")] {
        let http = FakeHttp::new(|_, _| Ok(response(200, "{}")));
        http.aws().stop(&id(EXECUTION), kind).await.unwrap();
        let calls = http.calls();
        let body: serde_json::Value = serde_json::from_str(&calls[0].body).unwrap();
        assert_eq!(body, json!({ "AutomationExecutionId": EXECUTION, "Type": sent }));
    }
}

#[tokio::test]
async fn a_stop_tells_an_execution_that_is_over_from_one_that_is_not_there() {
    for (code, kind) in [
        (
            "InvalidAutomationStatusUpdateException",
            PortErrorKind::NotRunning,
        ),
        ("AutomationExecutionNotFoundException", PortErrorKind::NotFound),
    ] {
        let http = FakeHttp::new(move |_, _| Ok(json_error(400, code, "no")));
        let error = http
            .aws()
            .stop(&id(EXECUTION), StopType::Cancel)
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.sent()), (kind, Sent::No), "{code}");
        assert_eq!(http.calls().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_stop_without_an_answer_may_have_been_taken() {
    let http = FakeHttp::new(|_, _| Err(ConnectorError::timeout("gone".into())));
    let error = http
        .aws()
        .stop(&id(EXECUTION), StopType::Cancel)
        .await
        .unwrap_err();
    assert_eq!(error.sent(), Sent::Maybe);
}
