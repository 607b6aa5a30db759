//! Places where a test may stop, delay or break the appending task. Without the feature
//! `failpoints` nothing of it is compiled in.

/// Where the appending task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// A batch is planned and about to be sent.
    BeforeSend,
    /// The heads are locked, nothing else is known yet.
    Locked,
    /// The locked batch is written and not committed.
    BeforeCommit,
    /// The batch is durable, nobody was told.
    BeforeAnswer,
    /// An exchange with the database was lost, with whatever it carried.
    Lost,
}

/// What a test does there: it may wait, and an error is taken for a lost connection.
#[cfg(feature = "failpoints")]
pub type Hook = std::sync::Arc<
    dyn Fn(Point) -> futures::future::BoxFuture<'static, std::io::Result<()>> + Send + Sync,
>;
