use crate::Aws;
use crate::testing::{FakeHttp, aws, json_error, own, response};
use aws_sdk_resourcegroups::Client;
use aws_sdk_resourcegroups::operation::list_group_resources::ListGroupResourcesOutput;
use aws_sdk_resourcegroups::operation::search_resources::SearchResourcesOutput;
use aws_sdk_resourcegroups::types::{ListGroupResourcesItem, QueryError, QueryErrorCode, ResourceIdentifier};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use patchfleet_core::id::NodeId;
use patchfleet_core::port::{Inventory, PageToken, PingStatus, PortErrorKind, Selection};
use std::collections::BTreeMap;

const EC2: &str = "arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abcdef0";
const HYBRID: &str = "arn:aws:ssm:us-east-1:111122223333:managed-instance/mi-0123456789abcdef0";

fn group() -> Selection {
    Selection::Group("WebServers".parse().unwrap())
}

fn identifier(arn: &str, kind: &str) -> ResourceIdentifier {
    ResourceIdentifier::builder()
        .resource_arn(arn)
        .resource_type(kind)
        .build()
}

fn item(arn: &str, kind: &str) -> ListGroupResourcesItem {
    ListGroupResourcesItem::builder()
        .identifier(identifier(arn, kind))
        .build()
}

fn with_groups(rules: &[&Rule]) -> Aws {
    let client = mock_client!(aws_sdk_resourcegroups, RuleMode::Sequential, rules);
    let aws = aws();
    aws.clients.groups.get_or(&own("us-east-1").region, || client);
    aws
}

fn nodes(ids: &[&str]) -> Vec<NodeId> {
    ids.iter().map(|id| id.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_groups_nodes_are_its_members_of_both_kinds_and_nothing_else() {
    let first = mock!(Client::list_group_resources)
        .match_requests(|request| {
            request.group() == Some("WebServers")
                && request.max_results() == Some(50)
                && request.filters().is_empty()
                && request.next_token().is_none()
        })
        .then_output(|| {
            ListGroupResourcesOutput::builder()
                .resources(item("arn:aws:s3:::bucket", "AWS::S3::Bucket"))
                .next_token("more")
                .build()
        });
    let second = mock!(Client::list_group_resources)
        .match_requests(|request| request.next_token() == Some("more"))
        .then_output(|| {
            ListGroupResourcesOutput::builder()
                .resources(item(EC2, "AWS::EC2::Instance"))
                .resources(item(HYBRID, "AWS::SSM::ManagedInstance"))
                .build()
        });
    let aws = with_groups(&[&first, &second]);
    let page = aws.members(&own("us-east-1"), &group(), None).await.unwrap().page;
    assert_eq!((page.items.len(), &page.next), (0, &Some(PageToken::new("more"))));
    let page = aws
        .members(&own("us-east-1"), &group(), page.next)
        .await
        .unwrap()
        .page;
    assert_eq!(
        page.items,
        nodes(&["i-0123456789abcdef0", "mi-0123456789abcdef0"])
    );
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn the_older_listing_is_read_where_there_is_no_newer_one() {
    let http = FakeHttp::new(|_, _| {
        let body = serde_json::json!({ "ResourceIdentifiers": [
            { "ResourceArn": EC2, "ResourceType": "AWS::EC2::Instance" }
        ]});
        Ok(response(200, body.to_string()))
    });
    let page = http
        .aws()
        .members(&own("us-east-1"), &group(), None)
        .await
        .unwrap()
        .page;
    assert_eq!(page.items, nodes(&["i-0123456789abcdef0"]));
}

#[tokio::test]
async fn a_partial_answer_says_so() {
    let rule = mock!(Client::list_group_resources).then_output(|| {
        ListGroupResourcesOutput::builder()
            .query_errors(
                QueryError::builder()
                    .error_code(QueryErrorCode::CloudformationStackInactive)
                    .message("the stack is gone")
                    .build(),
            )
            .build()
    });
    let answer = with_groups(&[&rule])
        .members(&own("us-east-1"), &group(), None)
        .await
        .unwrap();
    assert_eq!(answer.query_errors.len(), 1);
    assert_eq!(answer.query_errors[0].code, "CLOUDFORMATION_STACK_INACTIVE");
    assert_eq!(answer.query_errors[0].message, "the stack is gone");
}

#[tokio::test]
async fn a_node_that_cannot_be_read_is_an_error_that_names_it_and_is_not_left_out() {
    for arn in [
        "arn:aws:ec2:us-east-1:111122223333:instance/i-zz",
        "arn:aws:ec2:us-east-1:111122223333:machine/i-0123456789abcdef0",
    ] {
        let rule = mock!(Client::list_group_resources).then_output(move || {
            ListGroupResourcesOutput::builder()
                .resources(item(arn, "AWS::EC2::Instance"))
                .build()
        });
        let error = with_groups(&[&rule])
            .members(&own("us-east-1"), &group(), None)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Other);
        let id = arn.rsplit('/').next().unwrap();
        assert!(error.chain().contains(id), "{}", error.chain());
    }
}

#[tokio::test]
async fn a_missing_group_is_not_a_denied_one() {
    for (status, code, kind) in [
        (404, "NotFoundException", PortErrorKind::NotFound),
        (403, "ForbiddenException", PortErrorKind::Denied),
        (401, "UnauthorizedException", PortErrorKind::Denied),
        (429, "TooManyRequestsException", PortErrorKind::Throttled),
        (500, "InternalServerErrorException", PortErrorKind::Unavailable),
    ] {
        let http = FakeHttp::new(move |_, _| {
            let mut answer = response(status, r#"{"Message":"words"}"#);
            answer.headers_mut().insert("x-amzn-errortype", code);
            Ok(answer)
        });
        let error = http
            .aws()
            .members(&own("us-east-1"), &group(), None)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
    }
}

#[tokio::test]
async fn tags_are_searched_as_awss_tag_filters() {
    let tags = BTreeMap::from([
        ("Env".to_owned(), vec!["prod".to_owned(), "pre\"prod".to_owned()]),
        ("Team".to_owned(), vec!["web".to_owned()]),
    ]);
    let rule = mock!(Client::search_resources)
        .match_requests(|request| {
            let query = request.resource_query().unwrap();
            let expected = r#"{"ResourceTypeFilters":["AWS::EC2::Instance","AWS::SSM::ManagedInstance"],
                "TagFilters":[{"Key":"Env","Values":["prod","pre\"prod"]},{"Key":"Team","Values":["web"]}]}"#;
            let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            query.r#type().as_str() == "TAG_FILTERS_1_0"
                && json(query.query()) == json(expected)
                && request.max_results() == Some(50)
        })
        .then_output(|| {
            SearchResourcesOutput::builder()
                .resource_identifiers(identifier(HYBRID, "AWS::SSM::ManagedInstance"))
                .next_token("n")
                .build()
        });
    let page = with_groups(&[&rule])
        .members(&own("us-east-1"), &Selection::Tags(tags), None)
        .await
        .unwrap()
        .page;
    assert_eq!(page.items, nodes(&["mi-0123456789abcdef0"]));
    assert_eq!(page.next, Some(PageToken::new("n")));
}

#[tokio::test]
async fn a_tag_query_that_is_too_long_for_aws_is_refused_before_it_is_sent() {
    let http = FakeHttp::new(|_, _| Ok(response(200, "{}")));
    let tags = BTreeMap::from([("Env".to_owned(), vec!["x".repeat(250); 20])]);
    let error = http
        .aws()
        .members(&own("us-east-1"), &Selection::Tags(tags), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid);
    assert_eq!(http.calls(), []);
}

#[tokio::test]
async fn managed_nodes_come_with_their_ping_status_page_by_page() {
    let http = FakeHttp::new(|_, _| {
        let body = serde_json::json!({ "NextToken": "n", "InstanceInformationList": [
            { "InstanceId": "i-0123456789abcdef0", "PingStatus": "Online" },
            { "InstanceId": "mi-0123456789abcdef0", "PingStatus": "ConnectionLost" },
            { "InstanceId": "i-01234567" },
        ]});
        Ok(response(200, body.to_string()))
    });
    let page = http.aws().managed(&own("us-east-1"), None, None).await.unwrap();
    let pings: Vec<_> = page.items.iter().map(|node| node.ping).collect();
    assert_eq!(
        pings,
        [PingStatus::Online, PingStatus::Offline, PingStatus::Offline]
    );
    assert_eq!(page.next, Some(PageToken::new("n")));
    assert_eq!(http.calls()[0].body, r#"{"MaxResults":50}"#);
}

/// A Systems Manager that manages every node whose id does not begin with `i-bad`, and that
/// refuses a request that names such a one. Its pages are short.
fn strict_systems_manager() -> FakeHttp {
    FakeHttp::new(|call, _| {
        let input: serde_json::Value = serde_json::from_str(&call.body).unwrap();
        assert_eq!(input["Filters"][0]["Key"], "InstanceIds");
        let ids = input["Filters"][0]["Values"].as_array().unwrap();
        if ids.iter().any(|id| id.as_str().unwrap().starts_with("i-bad")) {
            return Ok(json_error(400, "InvalidInstanceId", "not a valid node"));
        }
        // The first page is empty, and no page has more than ten.
        let token = input["NextToken"].as_str();
        let from: usize = token.map_or(0, |token| token.parse().unwrap());
        let to = token.map_or(0, |_| ids.len().min(from + 10));
        let list: Vec<_> = ids[from..to]
            .iter()
            .map(|id| serde_json::json!({ "InstanceId": id, "PingStatus": "Online" }))
            .collect();
        let next = (token.is_none() || to < ids.len()).then(|| to.to_string());
        let body = serde_json::json!({ "InstanceInformationList": list, "NextToken": next });
        Ok(response(200, body.to_string()))
    })
}

#[tokio::test]
async fn nodes_that_are_not_managed_are_left_out_even_if_aws_refuses_the_call_that_names_them() {
    let mut asked: Vec<String> = (0..48).map(|n| format!("i-{n:08}")).collect();
    let managed = nodes(&asked.iter().map(String::as_str).collect::<Vec<_>>());
    asked.insert(0, "i-bad00000".to_owned());
    asked.insert(30, "i-bad00001".to_owned());
    let only = nodes(&asked.iter().map(String::as_str).collect::<Vec<_>>());
    let page = strict_systems_manager()
        .aws()
        .managed(&own("us-east-1"), Some(&only), None)
        .await
        .unwrap();
    let mut found: Vec<_> = page.items.into_iter().map(|node| node.id).collect();
    found.sort();
    assert_eq!(found, managed);
    assert_eq!(page.next, None);

    let none = strict_systems_manager()
        .aws()
        .managed(&own("us-east-1"), Some(&nodes(&["i-bad00000"])), None)
        .await
        .unwrap();
    assert_eq!(none.items, []);
}

#[tokio::test]
async fn for_a_list_of_no_nodes_nothing_is_asked() {
    let http = FakeHttp::new(|_, _| Ok(response(200, "{}")));
    let page = http
        .aws()
        .managed(&own("us-east-1"), Some(&[]), None)
        .await
        .unwrap();
    assert_eq!((page.items.len(), http.calls().len()), (0, 0));
}

mod tagged {
    use super::*;
    use aws_sdk_resourcegroupstagging::Client;
    use aws_sdk_resourcegroupstagging::operation::get_resources::GetResourcesOutput;
    use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, Tag};

    fn with_tagging(rules: &[&Rule]) -> Aws {
        let client = mock_client!(aws_sdk_resourcegroupstagging, RuleMode::Sequential, rules);
        let aws = aws();
        aws.clients.tagging.get_or(&own("us-east-1").region, || client);
        aws
    }

    fn resource(arn: &str, tags: &[(&str, &str)]) -> ResourceTagMapping {
        let tags = tags
            .iter()
            .map(|(key, value)| Tag::builder().key(*key).value(*value).build().unwrap());
        ResourceTagMapping::builder()
            .resource_arn(arn)
            .set_tags(Some(tags.collect()))
            .build()
    }

    #[tokio::test]
    async fn the_nodes_that_have_a_tag_come_with_its_value_and_the_last_page_has_an_empty_token() {
        let first = mock!(Client::get_resources)
            .match_requests(|request| {
                let [filter] = request.tag_filters() else {
                    return false;
                };
                filter.key() == Some("Service")
                    && filter.values().is_empty()
                    && request.resource_type_filters() == ["ec2:instance", "ssm:managed-instance"]
                    && request.resources_per_page() == Some(100)
                    && request.pagination_token().is_none()
            })
            .then_output(|| {
                GetResourcesOutput::builder()
                    .resource_tag_mapping_list(resource(EC2, &[("service", "no"), ("Service", "db")]))
                    .pagination_token("more")
                    .build()
            });
        let second = mock!(Client::get_resources)
            .match_requests(|request| request.pagination_token() == Some("more"))
            .then_output(|| {
                GetResourcesOutput::builder()
                    .resource_tag_mapping_list(resource(HYBRID, &[("Service", "")]))
                    .resource_tag_mapping_list(resource("arn:aws:s3:::bucket", &[("Service", "db")]))
                    .pagination_token("")
                    .build()
            });
        let aws = with_tagging(&[&first, &second]);
        let page = aws.tag_values(&own("us-east-1"), "Service", None).await.unwrap();
        let (id, value) = &page.items[0];
        assert_eq!(
            (page.items.len(), id.as_str(), value.as_str()),
            (1, "i-0123456789abcdef0", "db")
        );
        let page = aws
            .tag_values(&own("us-east-1"), "Service", page.next)
            .await
            .unwrap();
        let (id, value) = &page.items[0];
        assert_eq!(
            (page.items.len(), id.as_str(), value.as_str()),
            (1, "mi-0123456789abcdef0", "")
        );
        assert_eq!(page.next, None);
    }

    #[tokio::test]
    async fn a_node_that_is_listed_for_a_tag_which_it_does_not_show_is_an_error_and_not_untagged() {
        let answer = mock!(Client::get_resources).then_output(|| {
            GetResourcesOutput::builder()
                .resource_tag_mapping_list(resource(EC2, &[]))
                .build()
        });
        let error = with_tagging(&[&answer])
            .tag_values(&own("us-east-1"), "Service", None)
            .await
            .unwrap_err();
        let told = patchfleet_core::problem::chain(&error);
        assert!(told.contains("its tags do not show it"), "{told}");
    }
}
