"""Uses the simulator through Stripe's own library for Python.

Arguments: the simulator's URL, a secret key, and a file with a webhook as it was delivered.
"""

import json
import sys

import stripe

url, key, webhook_path = sys.argv[1:]
client = stripe.StripeClient(key, base_addresses={"api": url}, max_network_retries=2)

product = client.v1.products.create({"name": "Starter"})
price = client.v1.prices.create(
    {
        "product": product.id,
        "currency": "usd",
        "unit_amount": 2900,
        "recurring": {"interval": "month"},
    }
)
customer = client.v1.customers.create(
    {
        "name": "Ada",
        "metadata": {"trainer_id": "t1"},
        "payment_method": "pm_card_visa",
        "invoice_settings": {"default_payment_method": "pm_card_visa"},
    }
)
subscription = client.v1.subscriptions.create(
    {
        "customer": customer.id,
        "items": [{"price": price.id, "quantity": 2}],
        "expand": ["latest_invoice"],
    }
)
assert subscription.status == "active", subscription.status
assert subscription.latest_invoice.amount_paid == 5800, subscription.latest_invoice
assert subscription["items"].data[0].price.id == price.id

# Pages follow each other by themselves.
made = {client.v1.customers.create({"name": f"Customer {at}"}).id for at in range(7)}
page = client.v1.customers.list({"limit": 3})
listed = [each.id for each in page.auto_paging_iter()]
assert made | {customer.id} <= set(listed) and len(listed) == len(set(listed)), listed

# A repeated request gets the first answer.
options = {"idempotency_key": "python-1"}
first = client.v1.customers.create({"name": "Grace"}, options)
again = client.v1.customers.create({"name": "Grace"}, options)
assert first.id == again.id
assert again.last_response.headers["Idempotent-Replayed"] == "true"


def fails(error_class, call):
    try:
        call()
    except error_class as error:
        return error
    raise AssertionError(f"no {error_class.__name__}")


reused = fails(
    stripe.IdempotencyError,
    lambda: client.v1.customers.create({"name": "Mary"}, options),
)
assert reused.http_status == 400
missing = fails(
    stripe.InvalidRequestError, lambda: client.v1.customers.retrieve("cus_nobody")
)
assert missing.http_status == 404 and missing.code == "resource_missing"
stranger = stripe.StripeClient("sk_live_of_somebody", base_addresses={"api": url})
fails(stripe.AuthenticationError, lambda: stranger.v1.customers.list())
failing = client.v1.customers.create(
    {
        "payment_method": "pm_card_chargeCustomerFail",
        "invoice_settings": {"default_payment_method": "pm_card_chargeCustomerFail"},
    }
)
declined = fails(
    stripe.CardError,
    lambda: client.v1.subscriptions.create(
        {
            "customer": failing.id,
            "items": [{"price": price.id}],
            "payment_behavior": "error_if_incomplete",
        }
    ),
)
assert declined.code == "card_declined", declined

# A page is paid, which Stripe leaves to a browser.
session = client.v1.checkout.sessions.create(
    {
        "mode": "subscription",
        "client_reference_id": "t2",
        "line_items": [{"price": price.id, "quantity": 1}],
        "subscription_data": {"metadata": {"trainer_id": "t2"}, "trial_period_days": 7},
        "success_url": "https://app.example.test/",
    }
)
assert session.status == "open" and session.url.startswith("http"), session
client.raw_request(
    "post",
    f"/v1/test_helpers/checkout/sessions/{session.id}/pay",
    payment_method="pm_card_visa",
)
session = client.v1.checkout.sessions.retrieve(
    session.id, {"expand": ["subscription", "customer"]}
)
assert session.status == "complete", session
assert session.payment_status == "no_payment_required", session
assert session.subscription.status == "trialing", session.subscription
assert session.subscription.metadata["trainer_id"] == "t2"
assert session.subscription.customer == session.customer.id
sessions = client.v1.checkout.sessions.list({"customer": session.customer.id})
assert [each.id for each in sessions.data] == [session.id]

# A schedule takes a subscription over, plans its next price, and lets it go.
larger = client.v1.prices.create(
    {
        "product": product.id,
        "currency": "usd",
        "unit_amount": 5900,
        "recurring": {"interval": "month"},
    }
)
schedule = client.v1.subscription_schedules.create(
    {"from_subscription": subscription.id}
)
phase = schedule.phases[0]
assert schedule.status == "active" and schedule.subscription == subscription.id
schedule = client.v1.subscription_schedules.update(
    schedule.id,
    {
        "end_behavior": "release",
        "phases": [
            {
                "start_date": phase.start_date,
                "end_date": phase.end_date,
                "items": [{"price": price.id, "quantity": 2}],
            },
            {
                "start_date": phase.end_date,
                "items": [{"price": larger.id, "quantity": 1}],
                "proration_behavior": "none",
            },
        ],
    },
)
assert [each["items"][0].price for each in schedule.phases] == [price.id, larger.id]
assert schedule.phases[1].start_date == phase.end_date
assert client.v1.subscriptions.retrieve(subscription.id).schedule == schedule.id
schedule = client.v1.subscription_schedules.release(schedule.id)
assert (schedule.status, schedule.released_subscription) == ("released", subscription.id)
assert client.v1.subscriptions.retrieve(subscription.id).schedule is None

# A test clock carries its customer over the end of a period.
begin = 1_700_000_000
clock = client.v1.test_helpers.test_clocks.create(
    {"frozen_time": begin, "name": "a month"}
)
assert clock.status == "ready" and clock.frozen_time == begin, clock
clocked = client.v1.customers.create(
    {
        "test_clock": clock.id,
        "payment_method": "pm_card_visa",
        "invoice_settings": {"default_payment_method": "pm_card_visa"},
    }
)
monthly = client.v1.subscriptions.create(
    {"customer": clocked.id, "items": [{"price": price.id}]}
)
first_end = monthly["items"].data[0].current_period_end
client.v1.test_helpers.test_clocks.advance(
    clock.id, {"frozen_time": first_end + 2 * 3600}
)
clock = client.v1.test_helpers.test_clocks.retrieve(clock.id)
assert clock.status == "ready" and clock.frozen_time == first_end + 7200, clock
monthly = client.v1.subscriptions.retrieve(monthly.id)
assert monthly["items"].data[0].current_period_start == first_end, monthly
invoices = client.v1.invoices.list({"subscription": monthly.id})
assert [each.status for each in invoices.data] == ["paid", "paid"], invoices
assert [each.billing_reason for each in invoices.data] == [
    "subscription_cycle",
    "subscription_create",
]

# Events of some types and of some time, over several pages, the newest first.
types = ["customer.created", "test_helpers.test_clock.created"]
page = client.v1.events.list({"types": types, "limit": 3})
assert len(page.data) == 3 and page.has_more
told = list(page.auto_paging_iter())
assert {each.type for each in told} == set(types), told
assert len({each.id for each in told}) == len(told) > 9, told
named = {each.data.object.id for each in told}
assert made | {customer.id, clocked.id, clock.id} <= named, named
of_clock = client.v1.events.list(
    {"types": types, "created": {"gte": begin, "lt": begin + 1}, "limit": 1}
)
of_clock = list(of_clock.auto_paging_iter())
assert [each.data.object.id for each in of_clock] == [clocked.id, clock.id], of_clock
assert client.v1.events.retrieve(told[0].id).data.object.id == told[0].data.object.id

# A delivered webhook is genuine, an altered one isn't.
with open(webhook_path, encoding="utf-8") as file:
    webhook = json.load(file)
event = stripe.Webhook.construct_event(
    webhook["body"], webhook["signature"], webhook["secret"]
)
assert event.type == "customer.created" and event.data.object.name == "Webhook"
fails(
    stripe.SignatureVerificationError,
    lambda: stripe.Webhook.construct_event(
        webhook["body"] + " ", webhook["signature"], webhook["secret"]
    ),
)
print("python: fine")
