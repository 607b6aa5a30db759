use std::sync::Arc;

use super::*;
use crate::prepare::prepare;
use crate::seal::Frontier;
use crate::state::Window;
use crate::testing::{consume, counter, key, own, shared, stream, tenant};

const NOW: Timestamp = Timestamp::MIN;

fn append(events: Vec<crate::port::NewEvent>) -> Command {
    Command { tenant: tenant("one"), act: Act::Append(prepare(events).expect("prepares")) }
}

fn decide(decision: Decision) -> Command {
    Command { tenant: tenant("one"), act: Act::Decide(decision) }
}

fn tip(position: i64) -> Tip {
    let mut frontier = Frontier::default();
    (0..position).for_each(|_| frontier.append([1; 32]));
    let root = frontier.root();
    let (log_id, facts) = (Uuid::from_u128(1), position);
    Tip { log_id, epoch: 1, position, facts, frontier, root, recorded_at: NOW }
}

/// A log of ten events whose stream `trainer-t1` stands at revision 4 and whose counter at 8.
fn logs() -> Logs {
    let mut logs = Logs::default();
    let log = logs.entry(tenant("one")).or_default();
    log.set_tip(Some(tip(10)));
    log.streams.insert(stream("trainer-t1"), Some(4));
    log.streams.insert(stream("usage-t1-customers"), None);
    let mut window = Window::new(None);
    window.count(8);
    let mut usage = Usage::default();
    usage.add_window(window);
    log.counters.insert(Subject::from(&counter("t1", None)), usage);
    logs
}

fn planned<'b>(commands: &'b [Command], logs: &mut Logs) -> Plan<'b> {
    plan(commands, logs, NOW).expect("nothing is missing")
}

#[test]
fn what_isnt_remembered_is_asked_for_at_once() {
    let mut logs = Logs::default();
    let commands = [append(vec![own("evt_1")])];
    let missing = *plan(&commands, &mut logs, NOW).expect_err("nothing is known");
    assert_eq!(missing.tips, HashSet::from_iter([tenant("one")]));
    let mut logs = self::logs();
    let elsewhere = |n| shared("id", &format!("trainer-x{n}"), Expected::NoStream);
    let mut other = consume("use", "t2", 1, 9);
    other.counter = counter("t2", None);
    let commands = [append(vec![elsewhere(1), elsewhere(2)]), decide(other)];
    let missing = *plan(&commands, &mut logs, NOW).expect_err("much is unknown");
    assert_eq!((missing.streams.len(), missing.counters.len()), (2, 1), "all of it in one go");
}

#[test]
fn a_plan_changes_nothing_until_it_is_applied() {
    let mut logs = logs();
    let commands = [append(vec![own("evt_1")]), decide(consume("use", "t1", 1, 9))];
    let first = planned(&commands, &mut logs).effects;
    let second = planned(&commands, &mut logs).effects;
    assert_eq!(first.answers, second.answers);
    assert_eq!(first.slots[0].after, second.slots[0].after);
    second.apply(&mut logs);
    let third = planned(&commands, &mut logs).effects;
    assert_eq!(third.slots[0].before, first.slots[0].after);
    assert_eq!((third.duplicates, third.slots[0].writes()), (2, false));
}

#[test]
fn a_batch_sees_its_own_commands_in_their_order() {
    let mut logs = logs();
    let at =
        |revision| shared(&format!("id{revision}"), "trainer-t1", Expected::Revision(revision));
    let commands = [
        append(vec![at(4)]),
        append(vec![at(4)]),
        append(vec![at(5), own("evt_1")]),
        append(vec![at(3)]),
        decide(consume("use1", "t1", 1, 9)),
        decide(consume("use2", "t1", 1, 9)),
        decide(consume("use1", "t1", 1, 9)),
    ];
    let plan = planned(&commands, &mut logs);
    let places: Vec<_> = plan.rows.iter().map(|row| (row.position, row.revision)).collect();
    assert_eq!(places, [(11, 5), (12, 6), (13, 0), (14, 0)]);
    let answers = &plan.effects.answers;
    let again = Outcome::AlreadyAppended { position: 11, revision: 5 };
    assert_eq!(answers[1], Ok(Answer::Appended(vec![again])));
    let conflict =
        AppendError::WrongExpectedRevision { stream: stream("trainer-t1"), actual: Some(6) };
    assert_eq!(answers[3], Err(conflict));
    let refused = Counter { used: 9, held: 0, hold: None, facts: 13, now: NOW };
    assert_eq!(answers[5], Ok(Answer::Decided(Decided::Refused(refused))));
    let granted = Outcome::AlreadyAppended { position: 14, revision: 0 };
    assert_eq!(answers[6], Ok(Answer::Decided(Decided::Granted(granted, refused))));
}

#[test]
fn a_refusal_names_the_keys_whose_absence_it_rests_on() {
    let mut logs = logs();
    let wrong = shared("id", "trainer-t1", Expected::Revision(9));
    let commands = [append(vec![own("evt_1"), wrong]), decide(consume("use", "t1", 2, 9))];
    let plan = planned(&commands, &mut logs);
    let probes: Vec<_> = plan.probes.iter().map(|(_, key)| (*key).clone()).collect();
    assert_eq!(probes, [key("stripe", "evt_1"), key("api", "id"), key("api", "use")]);
    assert!(plan.rows.is_empty() && plan.effects.slots[0].relied_on);
    // Once a key is known, the refusal is gone.
    let known = Known { position: 3, revision: 0, content_hash: commands_hash(&commands[1]) };
    logs.entry(tenant("one")).or_default().learn(key("api", "use"), known);
    let plan = planned(&commands, &mut logs);
    assert!(matches!(plan.effects.answers[1], Ok(Answer::Decided(Decided::Granted(..)))));
    assert_eq!(plan.probes.len(), 2);
}

fn commands_hash(command: &Command) -> crate::port::Hash {
    match &command.act {
        Act::Decide(decision) => decision.content_hash,
        _ => panic!("no decision"),
    }
}

#[test]
fn what_is_known_is_relied_on_and_looked_at_before_the_revision() {
    let mut logs = logs();
    let event = shared("id", "trainer-t1", Expected::NoStream);
    let known = Known { position: 2, revision: 0, content_hash: event.content_hash };
    logs.entry(tenant("one")).or_default().learn(event.key.clone(), known);
    let commands = [append(vec![event])];
    let plan = planned(&commands, &mut logs);
    let already = Outcome::AlreadyAppended { position: 2, revision: 0 };
    assert_eq!(plan.effects.answers, [Ok(Answer::Appended(vec![already]))]);
    assert!(plan.effects.slots[0].relied_on && !plan.effects.slots[0].writes());
}

#[test]
fn a_key_of_another_content_is_relied_on() {
    let mut logs = logs();
    let event = own("evt_1");
    let known = Known { position: 2, revision: 0, content_hash: [9; 32] };
    logs.entry(tenant("one")).or_default().learn(event.key.clone(), known);
    logs.entry(tenant("one")).or_default().learn(key("api", "use"), known);
    for command in [append(vec![event]), decide(consume("use", "t1", 2, 9))] {
        let commands = [command];
        let plan = planned(&commands, &mut logs);
        let reused = AppendError::IdReused { position: 2, revision: 0 };
        assert_eq!(plan.effects.answers, [Err(reused)]);
        assert!(plan.effects.slots[0].relied_on && !plan.effects.slots[0].writes());
    }
}

#[test]
fn an_append_that_fails_leaves_no_trace_in_the_batch() {
    let mut logs = logs();
    let at = |id: &str, revision| shared(id, "trainer-t1", Expected::Revision(revision));
    let commands = [
        append(vec![at("a", 4), own("evt_1"), at("b", 9)]),
        append(vec![own("evt_1"), at("c", 4)]),
    ];
    let plan = planned(&commands, &mut logs);
    assert!(plan.effects.answers[0].is_err());
    let appended =
        [(11, 0), (12, 5)].map(|(position, revision)| Outcome::Appended { position, revision });
    assert_eq!(plan.effects.answers[1], Ok(Answer::Appended(appended.to_vec())));
}

#[test]
fn leaves_are_sealed_in_the_order_of_positions() {
    let mut logs = logs();
    logs.entry(tenant("two")).or_default().set_tip(Some(tip(3)));
    let mut commands = vec![append(vec![own("evt_1")]), append(vec![own("evt_2"), own("evt_3")])];
    commands.push(Command { tenant: tenant("two"), ..append(vec![own("evt_1")]) });
    commands.push(append(vec![own("evt_4")]));
    let plan = planned(&commands, &mut logs);
    let [one, two] = &plan.effects.slots[..] else { panic!("two tenants") };
    assert_eq!((one.after.position, two.after.position), (14, 4));
    for slot in [one, two] {
        assert_eq!(slot.after.frontier.size(), slot.after.position.unsigned_abs());
        assert_eq!(slot.after.frontier.root(), slot.after.root);
        assert_ne!(slot.after.root, slot.before.root);
    }
}

#[test]
fn time_stands_still_rather_than_running_back() {
    let mut logs = logs();
    let later = NOW.plus(5_000_000);
    let log = logs.entry(tenant("one")).or_default();
    log.set_tip(Some(Tip { recorded_at: later, ..tip(10) }));
    let commands = [append(vec![own("evt_1")]), decide(consume("use", "t1", 9, 9))];
    let plan = planned(&commands, &mut logs);
    assert_eq!(plan.effects.slots[0].after.recorded_at, later);
    let Ok(Answer::Decided(Decided::Refused(counter))) = &plan.effects.answers[1] else { panic!() };
    assert_eq!(counter.now, later);
}

#[test]
fn a_panicking_decision_is_refused_alone() {
    let mut logs = logs();
    let mut decision = consume("use", "t1", 1, 9);
    decision.decide = Arc::new(|_| panic!("a decision of a test panics"));
    let commands = [decide(decision), append(vec![own("evt_1")])];
    let plan = planned(&commands, &mut logs);
    assert!(matches!(plan.effects.answers[0], Err(AppendError::Refused(_))));
    assert_eq!(plan.rows.len(), 1);
}
