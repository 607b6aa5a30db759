//! Exports for spreadsheets (RFC 4180). They can't be verified.

use ledger_domain::time::Timestamp;
use ledger_log::seal::verify::RawEvent;

/// The first line.
pub(crate) const HEADER: &str = "position,namespace,event_id,stream,revision,type,schema_version,\
    occurred_at,recorded_at,metadata,data,text\r\n";

/// The line of an event.
pub(crate) fn line(event: &RawEvent) -> String {
    let time = |micros| Timestamp::from_micros(micros).to_string();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let beside = event.text.as_ref().and_then(|kept| kept.content.as_deref());
    let cells = [
        event.position.to_string(),
        event.namespace.clone(),
        event.event_id.clone(),
        event.stream.clone(),
        event.revision.to_string(),
        event.event_type.clone(),
        event.schema_version.to_string(),
        time(event.occurred_at),
        time(event.recorded_at),
        text(&event.metadata),
        text(&event.data),
        beside.map(text).unwrap_or_default(),
    ];
    format!("{}\r\n", cells.map(|cell| quoted(&cell)).join(","))
}

/// A cell. A spreadsheet takes what begins like a formula for one, and carries it out; behind an
/// apostrophe it stays text.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_whatever_is_in_it() {
        assert_eq!(quoted("a,\"b\"\r\n"), "\"a,\"\"b\"\"\r\n\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(quoted(formula), format!("\"'{formula}\""));
        }
    }
}
