//! The course of a campaign in outline: which units run when, as far as places, waves, rates and freezes decide it.
//!
//! It is no second engine. It knows neither logs nor answers nor failures. A test compares it with the campaign itself
//! over a small virtual AWS.

use crate::budget::one_after_another;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// One start.
#[derive(Debug, Clone)]
pub(super) struct Work {
    /// From 1.
    pub(super) wave: u32,
    /// How long each of its locations takes, in seconds, in the order in which they are begun.
    pub(super) locations: Vec<u64>,
    /// How many of them at once.
    pub(super) at_once: u32,
    /// The location that it shares with other starts, if it names nodes.
    pub(super) shared: Option<usize>,
    /// How many nodes it names, if it does.
    pub(super) nodes: u64,
    /// How many of them have each value of a label, by the value's number.
    pub(super) values: BTreeMap<u32, u32>,
}

impl Work {
    /// How long it takes.
    pub(super) fn lasts(&self) -> u64 {
        one_after_another(self.locations.iter().copied(), self.at_once)
    }
}

/// How many units that wait for room for a value of their nodes are passed over, as in a campaign.
const PASSED_OVER: usize = 256;

/// How much room there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// How many locations at once.
    pub(super) places: u64,
    /// How many nodes may be in flight, where starts name them.
    pub(super) in_flight: Option<u64>,
}

/// What decides when a unit may begin.
pub(super) struct Rules<'a> {
    /// How much room there is.
    pub(super) room: Room,
    /// The same in the waves in which it is another.
    pub(super) of_waves: &'a BTreeMap<u32, Room>,
    /// How many nodes of each value of a label may be in flight, by the value's number; those without a bound are missing.
    pub(super) of_values: &'a BTreeMap<u32, u64>,
    /// How long, in seconds, nothing begins after each wave.
    pub(super) soaks: &'a BTreeMap<u32, u64>,
    /// How many begin in a second, from 1.
    pub(super) starts_a_second: u32,
    /// How many run at once, whatever else allows more; `None`: any number.
    pub(super) at_once: Option<usize>,
    /// The first second from this one on in which something may begin; `None`: never.
    pub(super) opens: &'a dyn Fn(u64) -> Option<u64>,
}

/// When the units of a campaign begin and when it ends, in seconds from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Course {
    /// When each unit begins, in the order of the units. Those that never do are missing at the end.
    pub(super) begins: Vec<u64>,
    /// When the last one ends; `None` if some never begin.
    pub(super) ends: Option<u64>,
}

/// The units that are not begun, wave by wave.
struct Waiting<'a> {
    work: &'a [Work],
    /// By wave and number: those that no unit of the same location keeps waiting.
    ready: BTreeSet<(u32, usize)>,
    /// By location: those that come after the one that runs or is ready.
    behind: BTreeMap<usize, VecDeque<usize>>,
    /// How many of each wave are not over.
    left: BTreeMap<u32, usize>,
}

impl<'a> Waiting<'a> {
    fn new(work: &'a [Work]) -> Self {
        let mut waiting = Self {
            work,
            ready: BTreeSet::new(),
            behind: BTreeMap::new(),
            left: BTreeMap::new(),
        };
        for (unit, one) in work.iter().enumerate() {
            *waiting.left.entry(one.wave).or_insert(0) += 1;
            match one.shared {
                Some(location) if waiting.behind.contains_key(&location) => {
                    waiting.behind.entry(location).or_default().push_back(unit);
                }
                shared => {
                    waiting.ready.insert((one.wave, unit));
                    if let Some(location) = shared {
                        waiting.behind.insert(location, VecDeque::new());
                    }
                }
            }
        }
        waiting
    }

    /// The first that may be begun as far as waves, locations and the values of its nodes go. One that waits for a value
    /// keeps no other back.
    fn next(&self, has_room: impl Fn(&Work) -> bool) -> Option<usize> {
        let (open, _) = self.left.first_key_value()?;
        let ready = self
            .ready
            .iter()
            .take_while(|(wave, _)| wave == open)
            .take(PASSED_OVER);
        let mut units = ready.map(|(_, unit)| *unit);
        units.find(|unit| self.work.get(*unit).is_some_and(&has_room))
    }

    fn begin(&mut self, unit: usize) {
        if let Some(one) = self.work.get(unit) {
            self.ready.remove(&(one.wave, unit));
        }
    }

    /// A unit is over. Gives the wave that is over with it.
    fn end(&mut self, unit: usize) -> Option<u32> {
        let one = self.work.get(unit)?;
        let behind = one.shared.and_then(|location| self.behind.get_mut(&location));
        if let Some(next) = behind.and_then(VecDeque::pop_front)
            && let Some(after) = self.work.get(next)
        {
            self.ready.insert((after.wave, next));
        }
        let left = self.left.get_mut(&one.wave)?;
        *left -= 1;
        let is_over = *left == 0;
        if is_over {
            self.left.remove(&one.wave);
        }
        is_over.then_some(one.wave)
    }
}

/// The course of these units, which are begun in their order.
pub(super) fn course(work: &[Work], rules: &Rules<'_>) -> Course {
    let mut waiting = Waiting::new(work);
    let mut running: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut begins: Vec<Option<u64>> = vec![None; work.len()];
    let (mut now, mut not_before) = (0_u64, 0_u64);
    // A second, and how many began in it.
    let mut in_second = (0_u64, 0_u32);
    let (mut taken, mut in_flight) = (0_u64, 0_u64);
    let mut of_values: BTreeMap<u32, u64> = BTreeMap::new();
    let mut ends = 0;
    let mut is_stuck = false;
    loop {
        let has_room = |one: &Work| {
            one.values.iter().all(|(value, n)| {
                let open = of_values.get(value).copied().unwrap_or_default();
                let bound = rules.of_values.get(value);
                open == 0 || bound.is_none_or(|bound| open.saturating_add(u64::from(*n)) <= *bound)
            })
        };
        let next = waiting
            .next(has_room)
            .and_then(|unit| Some((unit, work.get(unit)?)));
        let fits = |one: &Work| {
            let room = rules.of_waves.get(&one.wave).unwrap_or(&rules.room);
            let places = taken.saturating_add(u64::from(one.at_once)) <= room.places;
            let nodes = room
                .in_flight
                .is_none_or(|bound| in_flight.saturating_add(one.nodes) <= bound);
            let runs = rules.at_once.is_none_or(|most| running.len() < most);
            running.is_empty() || (places && nodes && runs)
        };
        let begun = next.filter(|(_, one)| fits(one)).map(|(unit, one)| {
            let opens = (rules.opens)(now.max(not_before));
            (unit, one, opens)
        });
        let ending = running.peek().map(|Reverse((ends, _))| *ends);
        match begun {
            Some((unit, one, Some(at))) if ending.is_none_or(|ending| at <= ending) => {
                now = at;
                in_second = match in_second {
                    (second, begun) if second == at => (second, begun.saturating_add(1)),
                    _ => (at, 1),
                };
                if in_second.1 >= rules.starts_a_second {
                    not_before = at.saturating_add(1);
                }
                waiting.begin(unit);
                taken = taken.saturating_add(u64::from(one.at_once));
                in_flight = in_flight.saturating_add(one.nodes);
                for (value, n) in &one.values {
                    let open = of_values.entry(*value).or_default();
                    *open = open.saturating_add(u64::from(*n));
                }
                if let Some(begins) = begins.get_mut(unit) {
                    *begins = Some(at);
                }
                running.push(Reverse((at.saturating_add(one.lasts()), unit)));
                continue;
            }
            Some((_, _, None)) => is_stuck = true,
            _ => {}
        }
        let Some(Reverse((ended, unit))) = running.pop() else {
            break;
        };
        now = now.max(ended);
        ends = ends.max(ended);
        if let Some(one) = work.get(unit) {
            taken = taken.saturating_sub(u64::from(one.at_once));
            in_flight = in_flight.saturating_sub(one.nodes);
            for (value, n) in &one.values {
                let open = of_values.entry(*value).or_default();
                *open = open.saturating_sub(u64::from(*n));
            }
        }
        if let Some(wave) = waiting.end(unit) {
            let soak = rules.soaks.get(&wave).copied().unwrap_or_default();
            not_before = not_before.max(now.saturating_add(soak));
        }
    }
    Course {
        ends: (!is_stuck).then_some(ends),
        begins: begins.into_iter().flatten().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(locations: &[u64], at_once: u32) -> Work {
        Work {
            wave: 1,
            locations: locations.to_vec(),
            at_once,
            shared: None,
            nodes: 0,
            values: BTreeMap::new(),
        }
    }

    static NO_VALUES: BTreeMap<u32, u64> = BTreeMap::new();

    fn always(seconds: u64) -> Option<u64> {
        Some(seconds)
    }

    static NO_WAVES: BTreeMap<u32, Room> = BTreeMap::new();

    fn rules(places: u64, soaks: &BTreeMap<u32, u64>) -> Rules<'_> {
        Rules {
            room: Room {
                places,
                in_flight: None,
            },
            of_waves: &NO_WAVES,
            of_values: &NO_VALUES,
            soaks,
            starts_a_second: 1,
            at_once: Some(100),
            opens: &always,
        }
    }

    fn ends(work: &[Work], places: u64) -> Option<u64> {
        course(work, &rules(places, &BTreeMap::new())).ends
    }

    #[test]
    fn locations_of_a_start_begin_one_two_four_and_so_on() {
        assert_eq!(work(&[100; 4], 1).lasts(), 400);
        // 1, 2, 1.
        assert_eq!(work(&[100; 4], 4).lasts(), 300);
        // 1, 2, 4, 3.
        assert_eq!(work(&[100; 10], 4).lasts(), 400);
        assert_eq!(work(&[], 4).lasts(), 0);
    }

    #[test]
    fn starts_come_one_a_second_and_as_many_run_as_have_a_place() {
        let one = || work(&[600], 1);
        assert_eq!(ends(&[one(), one(), one()], 3), Some(602));
        assert_eq!(ends(&[one(), one(), one()], 1), Some(1_800));
        // A start that needs more places than there are runs alone.
        assert_eq!(ends(&[work(&[600, 600], 2), one()], 1), Some(1_800));
        // No more than 100 run at once, however many places there are.
        let many: Vec<Work> = (0..101).map(|_| one()).collect();
        assert_eq!(ends(&many, 1_000), Some(1_200));
    }

    #[test]
    fn commands_that_patchfleet_sends_come_faster_and_any_number_of_them_runs() {
        let soaks = BTreeMap::new();
        let rules = Rules {
            starts_a_second: 5,
            at_once: None,
            ..rules(1_000, &soaks)
        };
        let many: Vec<Work> = (0..501).map(|_| work(&[600], 1)).collect();
        let course = course(&many, &rules);
        assert_eq!(course.begins[..6], [0, 0, 0, 0, 0, 1]);
        assert_eq!(course.ends, Some(700));
    }

    #[test]
    fn starts_of_one_location_follow_each_other_and_others_go_on_beside_them() {
        let named = |shared| Work {
            shared: Some(shared),
            ..work(&[600], 1)
        };
        let of = course(&[named(1), named(1), named(2)], &rules(9, &BTreeMap::new()));
        assert_eq!(of.ends, Some(1_200));
        assert_eq!(of.begins, [0, 600, 1]);
    }

    #[test]
    fn a_wave_begins_after_the_one_before_it_and_its_soak() {
        let soaks = BTreeMap::from([(1, 1_000)]);
        let of = |wave| Work {
            wave,
            ..work(&[600], 1)
        };
        let course = course(&[of(1), of(1), of(2)], &rules(9, &soaks));
        assert_eq!(course.begins, [0, 1, 1_601]);
        assert_eq!(course.ends, Some(2_201));
    }

    #[test]
    fn nodes_in_flight_stay_within_their_bound() {
        let of = |nodes| Work {
            nodes,
            ..work(&[600], 1)
        };
        let soaks = BTreeMap::new();
        let rules = Rules {
            room: Room {
                places: 9,
                in_flight: Some(10),
            },
            ..rules(9, &soaks)
        };
        assert_eq!(course(&[of(6), of(4), of(6)], &rules).begins, [0, 1, 600]);
    }

    #[test]
    fn a_wave_with_room_of_its_own_has_that_room() {
        let of = |wave| Work {
            wave,
            nodes: 4,
            ..work(&[600], 1)
        };
        let room = |places, in_flight| Room { places, in_flight };
        let of_waves = BTreeMap::from([(1, room(1, None)), (2, room(9, Some(7)))]);
        let soaks = BTreeMap::new();
        let rules = Rules {
            of_waves: &of_waves,
            ..rules(9, &soaks)
        };
        let all = [of(1), of(1), of(2), of(2), of(3), of(3)];
        let begins = course(&all, &rules).begins;
        assert_eq!(begins, [0, 600, 1_200, 1_800, 2_400, 2_401]);
    }

    #[test]
    fn what_waits_for_a_value_of_its_nodes_keeps_no_other_back() {
        let of = |value| Work {
            values: BTreeMap::from([(value, 1)]),
            ..work(&[600], 1)
        };
        let (soaks, of_values) = (BTreeMap::new(), BTreeMap::from([(1, 1)]));
        let rules = Rules {
            of_values: &of_values,
            ..rules(9, &soaks)
        };
        let course = course(&[of(1), of(1), of(2), of(2)], &rules);
        assert_eq!(course.begins, [0, 600, 1, 2]);
        assert_eq!(course.ends, Some(1_200));
    }

    #[test]
    fn nothing_begins_in_a_freeze_and_what_never_may_is_not_said_to_end() {
        let opens = |seconds: u64| match seconds {
            500..900 => Some(900),
            2_000.. => None,
            open => Some(open),
        };
        let soaks = BTreeMap::new();
        let rules = Rules {
            opens: &opens,
            ..rules(1, &soaks)
        };
        let one = || work(&[600], 1);
        let two = course(&[one(), one()], &rules);
        assert_eq!((two.begins, two.ends), (vec![0, 900], Some(1_500)));
        let four = course(&[one(), one(), one(), one()], &rules);
        assert_eq!((four.begins, four.ends), (vec![0, 900, 1_500], None));
    }

    #[test]
    fn a_hundred_and_fifty_thousand_starts_are_reckoned_at_once() {
        let many: Vec<Work> = (0..150_000).map(|n| work(&[600 + n % 7], 1)).collect();
        let ends = ends(&many, 100).unwrap();
        // 100 at a time for ten minutes each.
        assert!((900_000..910_000).contains(&ends), "{ends}");
    }
}
