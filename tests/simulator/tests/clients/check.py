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
