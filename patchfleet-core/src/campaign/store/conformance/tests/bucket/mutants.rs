//! The law by which the kit finds each store that breaks a promise.

use super::flawed::{Flaw as F, flawed};
use super::*;
use crate::campaign::conformance::{Law, check};

/// The kit finds the flaw by the law that names it, and says so.
#[track_caller]
fn is_found(flaw: F, law: Law) {
    let found = finish(check(law, &flawed(flaw))).unwrap_err();
    assert_eq!(found.law, law);
    assert!(found.to_string().contains(law.text()), "{found}");
}

macro_rules! found {
    ($($name:ident: $flaw:ident, $($law:ident),+;)*) => {
        $(
            #[test]
            fn $name() {
                $(is_found(F::$flaw, Law::$law);)+
            }
        )*
    };
}

found! {
    the_kit_finds_a_store_that_swallows_an_append: SwallowsAppends, AppendsInOrder, Races;
    the_kit_finds_a_store_that_tells_a_second_writer_that_it_won: AcceptsTheSecond, OneWinner;
    the_kit_finds_a_store_that_writes_over_a_record: Overwrites, OneWinner;
    the_kit_finds_a_store_that_calls_a_second_writer_an_error: RefusesTheSecond, OneWinner;
    the_kit_finds_a_store_that_leaves_gaps: LeavesGaps, NoGaps, CutShortIsTold;
    the_kit_finds_a_store_that_appends_what_does_not_follow: FollowsAnything, NoGaps;
    the_kit_finds_a_store_that_looks_before_it_puts: LooksThenPuts, Races, ClaimsOnce;
    the_kit_finds_a_store_that_says_not_sent_of_what_was_kept: SaysNotSent, LostAnswers;
    the_kit_finds_a_store_that_says_kept_of_what_was_never_sent: SaysKept, LostAnswers;
    the_kit_finds_a_store_that_reads_all_whatever_is_asked_for: IgnoresFrom, ReadsFrom;
    the_kit_finds_a_store_that_is_empty_past_its_end: IsEmptyPastTheEnd, ReadsFrom, CutShortIsTold;
    the_kit_finds_a_store_that_reads_in_another_order: Reorders, AppendsInOrder;
    the_kit_finds_a_store_that_orders_numbers_as_texts: SortsAsText, ReadsFrom, LongLogs;
    the_kit_finds_a_store_that_reads_one_record_too_few: LosesTheLast, AppendsInOrder;
    the_kit_finds_a_store_that_remembers_what_it_read: RemembersItsFirstRead, HandlesAgree;
    the_kit_finds_a_store_that_makes_what_it_reads: MakesWhatItReads, NothingIsNothing;
    the_kit_finds_a_store_that_lists_what_is_not_there: ListsUnread, NothingIsNothing, Listed;
    the_kit_finds_a_store_that_does_not_say_whose_a_campaign_is: HasNoNames, FirstAndLast, DamageIsTold;
    the_kit_finds_a_store_that_gives_the_first_record_as_the_last: GivesTheFirstAsLast, FirstAndLast;
    the_kit_finds_a_store_that_gives_the_last_record_as_the_first: GivesTheLastAsFirst, FirstAndLast;
    the_kit_finds_a_store_whose_damaged_first_record_is_none: DamagedFirstIsNone, DamageIsTold;
    the_kit_finds_a_store_that_rounds_times: RoundsTimes, ByteForByte, AppendsInOrder;
    the_kit_finds_a_store_that_trims_texts: TrimsTexts, ByteForByte;
    the_kit_finds_a_store_that_keeps_no_large_record: RefusesLarge, LargeRecords;
    the_kit_finds_a_store_that_reads_one_page: ReadsOnePage, LongLogs;
    the_kit_finds_a_store_that_lists_one_page: ListsOnePage, LongListings;
    the_kit_finds_a_store_that_takes_capitals_for_small_letters: FoldsCase, LogsApart, Listed;
    the_kit_finds_a_store_that_takes_a_name_for_the_beginning_of_another: MixesPrefixes, LogsApart;
    the_kit_finds_a_store_that_lists_nothing: ListsNothing, Listed, LongListings;
    the_kit_finds_a_store_that_lists_no_names: ListsCampaignsAlone, Listed;
    the_kit_finds_a_store_whose_listing_never_changes: ListsAsAtFirst, Listed;
    the_kit_finds_a_store_that_lists_a_log_twice: ListsTwice, Listed;
    the_kit_finds_a_store_whose_handles_share_nothing: SharesNothing, HandlesAgree, Reopened, ClaimsOnce;
    the_kit_finds_a_store_that_drops_the_last_record_when_it_is_opened: DropsTheLastWhenOpened, Reopened;
    the_kit_finds_a_store_that_skips_what_is_damaged: SkipsDamaged, DamageIsTold;
    the_kit_finds_a_store_that_reads_up_to_what_is_damaged: StopsAtDamage, DamageIsTold;
    the_kit_finds_a_store_that_appends_to_what_is_damaged: AppendsToDamaged, DamageIsTold;
    the_kit_finds_a_store_that_takes_damage_for_bad_weather: BlamesTheNetwork, DamageIsTold, ReadsFrom;
    the_kit_finds_rows_of_an_older_attempt_that_win: LastPutWins, NewestRowsWin;
    the_kit_finds_rows_that_are_not_replaced: FirstPutWins, NewestRowsWin;
    the_kit_finds_rows_that_are_added_to_those_before: MergesRows, NewestRowsWin;
    the_kit_finds_attempts_that_are_compared_as_texts: ComparesAttemptsAsTexts, NewestRowsWin;
    the_kit_finds_rows_that_are_not_ordered: KeepsTheirOrder, RowsByteForByte;
    the_kit_finds_rows_that_two_accounts_share: KeepsRowsByRegion, RowsApart;
    the_kit_finds_rows_that_two_campaigns_share: KeepsRowsByLocation, RowsApart;
    the_kit_finds_damaged_rows_that_are_taken_for_none: DamagedRowsAreNone, DamagedRowsAreTold;
    the_kit_finds_damaged_rows_that_cannot_be_put_again: DamagedRowsStay, DamagedRowsAreTold;
}
