//! What an auditor checks the log with: signed checkpoints, exports, and the walk through the rows
//! that recomputes every hash. What is compared with what is `ledger_log::seal`'s, and pure.

pub(crate) mod checkpoint;
pub(crate) mod csv;
pub(crate) mod export;
pub(crate) mod key;
pub(crate) mod prover;

use ledger_log::ReadError;
use ledger_log::postgres::RawReader;
use ledger_log::seal::verify::{Claim, LogVerifier, RawHead, Verdict};

/// Reads every row of a log up to its end and recomputes what is sealed. `at` is told how far it
/// has come. In memory are a page of events and a page of seals.
pub(crate) async fn verify(
    reader: &RawReader,
    head: &RawHead,
    claim: Option<Claim>,
    mut at: impl FnMut(i64),
) -> Result<Verdict, ReadError> {
    let end = head.end();
    let (mut verifier, mut seals, mut after) =
        (LogVerifier::new(claim), reader.seals(end), i64::MIN);
    loop {
        let page = reader.events(after, end).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for event in page {
            while verifier.wants_seal(event.position) {
                verifier.seal(seals.next().await?);
            }
            verifier.event(event);
        }
        at(after);
    }
    while verifier.wants_seal(i64::MAX) {
        verifier.seal(seals.next().await?);
    }
    Ok(verifier.finish(head))
}
