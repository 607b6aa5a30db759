//! Test clocks: customers who live at a time of their own.

use serde_json::json;

use super::World;
use super::params::{self, Form};
use super::request::{Answer, ApiError};
use super::template::{filled, integer, text};

type Answered = Result<Answer, ApiError>;

impl World {
    pub(super) fn create_clock(&mut self, form: &Form) -> Answered {
        params::known(form, "", &["frozen_time", "name"])?;
        let time = params::time(form, "frozen_time")?;
        let time = time.ok_or_else(|| ApiError::missing("frozen_time"))?;
        let clock = filled(
            "test_helpers.test_clock",
            json!({
                "id": self.ids.next("clock"),
                "created": self.now,
                "deletes_after": self.now + 30 * 86_400,
                "frozen_time": time,
                "livemode": self.config.livemode,
                "name": params::text(form, "name")?,
            }),
        );
        let id = self.make("test_helpers.test_clock", clock);
        self.emit("test_helpers.test_clock.created", &id);
        self.answer(&id)
    }

    /// Moves a clock, by at most two intervals of the shortest subscription that lives by it.
    pub(super) fn advance_clock(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["frozen_time"])?;
        let clock = self.named("test_helpers.test_clock", id, "test_clock")?;
        let time = params::time(form, "frozen_time")?;
        let time = time.ok_or_else(|| ApiError::missing("frozen_time"))?;
        let frozen = integer(&clock, "frozen_time");
        if time <= frozen {
            let message = "The test clock's frozen_time must be after its current time.";
            return Err(ApiError::invalid("frozen_time", message));
        }
        let theirs = self.subscriptions.values().filter(|of| of.clock.as_deref() == Some(id));
        let ends = theirs.map(|of| of.interval().after(frozen, 2));
        if ends.min().is_some_and(|most| time > most) {
            let message = "You cannot advance a test clock past two intervals of the shortest \
                           subscription.";
            return Err(ApiError::invalid("frozen_time", message));
        }
        self.set(id, json!({ "status": "advancing" }));
        self.emit("test_helpers.test_clock.advancing", id);
        // What happens now happens by itself, not by the call.
        let request = self.request.take();
        self.pass(Some(id), time);
        self.request = request;
        self.set(id, json!({ "status": "ready" }));
        self.emit("test_helpers.test_clock.ready", id);
        self.answer(id)
    }

    pub(super) fn delete_clock(&mut self, id: &str) -> Answered {
        let clock = self.named("test_helpers.test_clock", id, "test_clock")?;
        let customers: Vec<_> =
            self.all("customer").filter(|customer| customer["test_clock"] == id).collect();
        for customer in customers {
            self.delete_customer(text(&customer, "id"))?;
        }
        self.emit("test_helpers.test_clock.deleted", id);
        let gone = json!({ "id": id, "object": "test_helpers.test_clock", "deleted": true });
        let mut kept = gone.clone();
        kept["frozen_time"] = clock["frozen_time"].clone();
        self.plain.insert(id.to_owned(), kept);
        Ok(Answer::Object(gone))
    }

    pub(super) fn list_clocks(&self, form: &Form) -> Answered {
        params::known(form, "", &[])?;
        let data = self.all("test_helpers.test_clock").collect();
        Ok(Answer::List { url: "/v1/test_helpers/test_clocks".to_owned(), data })
    }
}
