//! Why AWS stopped what was started with the alarm of the request.

use super::*;
use crate::port::TriggeredAlarm;

#[test]
fn a_location_that_aws_stopped_for_the_alarm_says_so_and_what_was_not_begun_does_too() {
    let mut world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    world.plan.request.breaker.alarm = Some("web errors".parse().unwrap());
    world.plan.request.breaker.hand_alarm_to_aws = true;
    for unit in &mut world.plan.units {
        unit.start.alarm = world.plan.request.breaker.alarm.clone();
    }
    let driver = world.driver(1);
    let until = world.clock.now() + SignedDuration::from_secs(30);
    finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run_until(world.campaign(), until).await.unwrap();
        world.aws.cancel_in(&world.plan.locations[0].location());
        world.aws.stop_for_alarm(TriggeredAlarm::Alarm);
        driver.run(world.campaign()).await.unwrap();
    });
    insta::assert_snapshot!("stopped_for_alarm", explained(&world, FIRST).to_text());
    insta::assert_snapshot!("not_begun_after_it", explained(&world, SECOND).to_text());
}
