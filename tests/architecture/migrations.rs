//! Migrations are named by when they were written and what they do.

use std::collections::BTreeMap;

use crate::tree::files_in;

/// What a migration's name may begin with; a new verb needs a line here.
const VERBS: [&str; 14] = [
    "add", "alter", "backfill", "create", "drop", "enable", "grant", "index", "move", "rename",
    "replace", "revoke", "split", "widen",
];

#[test]
fn migrations_are_named_by_time_verb_and_object() {
    let names: Vec<String> = files_in("migrations").into_iter().map(|file| file.path).collect();
    crate::assert_none(&violations(&names));
}

fn violations(paths: &[String]) -> Vec<String> {
    let mut violations = Vec::new();
    let mut times: BTreeMap<&str, &str> = BTreeMap::new();
    for path in paths {
        let name = path.rsplit('/').next().unwrap_or(path);
        if let Err(reason) = check(name) {
            violations.push(format!("{path}: {reason}; YYYYMMDDHHMMSS_verb_object.sql is wanted"));
        } else if let Some(other) = times.insert(&name[..14], path) {
            violations.push(format!("{path}: has the time of {other}, so their order is open"));
        }
    }
    violations
}

fn check(name: &str) -> Result<(), String> {
    let stem = name.strip_suffix(".sql").ok_or("not a .sql file")?;
    let (time, rest) = stem.split_once('_').ok_or("no underscore")?;
    if !is_time(time) {
        return Err(format!("`{time}` is no time"));
    }
    let (verb, object) = rest.split_once('_').ok_or("no object")?;
    if !VERBS.contains(&verb) {
        return Err(format!("`{verb}` is none of {}", VERBS.join(", ")));
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if object.split('_').all(|word| !word.is_empty() && word.chars().all(plain)) {
        Ok(())
    } else {
        Err(format!("`{object}` isn't in snake_case"))
    }
}

fn is_time(time: &str) -> bool {
    if time.len() != 14 || !time.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let limits = [(4..6, 1, 12), (6..8, 1, 31), (8..10, 0, 23), (10..12, 0, 59), (12..14, 0, 59)];
    let within = |(at, least, most): (std::ops::Range<usize>, u32, u32)| {
        time[at].parse().is_ok_and(|number: u32| (least..=most).contains(&number))
    };
    limits.into_iter().all(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_all(names: &[&str]) -> Vec<String> {
        let paths: Vec<String> = names.iter().map(|name| format!("migrations/{name}")).collect();
        violations(&paths)
    }

    #[test]
    fn good_names_pass() {
        assert!(check_all(&["20261101120000_create_event.sql"]).is_empty());
        assert!(check_all(&["20261101120001_add_event_tenant_2.sql"]).is_empty());
    }

    #[test]
    fn bad_names_are_found() {
        for name in [
            "0001_create_event.sql",
            "20261301120000_create_event.sql",
            "20261101120000_event.sql",
            "20261101120000_events_table.sql",
            "20261101120000_create_Event.sql",
            "20261101120000_create__event.sql",
            "20261101120000-create-event.sql",
            "20261101120000_create_event.up.sql",
            "README.md",
        ] {
            assert_eq!(check_all(&[name]).len(), 1, "{name}");
        }
    }

    #[test]
    fn two_at_the_same_time_are_found() {
        let names = ["20261101120000_create_event.sql", "20261101120000_create_head.sql"];
        assert!(check_all(&names)[0].contains("has the time of"));
    }
}
