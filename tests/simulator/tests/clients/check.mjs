// Uses the simulator through Stripe's own library for Node.
//
// Arguments: the simulator's URL, a secret key, and a file with a webhook as it was delivered. The
// library is found from the folder in which this is run.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [url, key, webhookPath] = process.argv.slice(2);
const require = createRequire(path.join(process.cwd(), "package.json"));
const imported = require("stripe");
const Stripe = imported.default ?? imported;

const { hostname: host, port } = new URL(url);
const settings = { host, port, protocol: "http", maxNetworkRetries: 2, telemetry: false };
const stripe = new Stripe(key, settings);

const product = await stripe.products.create({ name: "Starter" });
const price = await stripe.prices.create({
  product: product.id,
  currency: "usd",
  unit_amount: 2900,
  recurring: { interval: "month" },
});
const customer = await stripe.customers.create({
  name: "Ada",
  metadata: { trainer_id: "t1" },
  payment_method: "pm_card_visa",
  invoice_settings: { default_payment_method: "pm_card_visa" },
});
const subscription = await stripe.subscriptions.create({
  customer: customer.id,
  items: [{ price: price.id, quantity: 2 }],
  expand: ["latest_invoice"],
});
assert.equal(subscription.status, "active");
assert.equal(subscription.latest_invoice.amount_paid, 5800);
assert.equal(subscription.items.data[0].price.id, price.id);

// Pages follow each other by themselves.
const made = [customer.id];
for (let at = 0; at < 7; at += 1) {
  made.push((await stripe.customers.create({ name: `Customer ${at}` })).id);
}
const listed = [];
for await (const each of stripe.customers.list({ limit: 3 })) {
  listed.push(each.id);
}
assert.ok(made.every((id) => listed.includes(id)));
assert.equal(new Set(listed).size, listed.length);

// A repeated request gets the first answer.
const options = { idempotencyKey: "node-1" };
const first = await stripe.customers.create({ name: "Grace" }, options);
const again = await stripe.customers.create({ name: "Grace" }, options);
assert.equal(first.id, again.id);
assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");

const errors = Stripe.errors;
const fails = (kind, call) => assert.rejects(call, (error) => error instanceof kind);
await fails(errors.StripeIdempotencyError, () => stripe.customers.create({ name: "Mary" }, options));
await assert.rejects(
  () => stripe.customers.retrieve("cus_nobody"),
  (error) =>
    error instanceof errors.StripeInvalidRequestError &&
    error.statusCode === 404 &&
    error.code === "resource_missing",
);
const stranger = new Stripe("sk_live_of_somebody", settings);
await fails(errors.StripeAuthenticationError, () => stranger.customers.list());
const failing = await stripe.customers.create({
  payment_method: "pm_card_chargeCustomerFail",
  invoice_settings: { default_payment_method: "pm_card_chargeCustomerFail" },
});
await assert.rejects(
  () =>
    stripe.subscriptions.create({
      customer: failing.id,
      items: [{ price: price.id }],
      payment_behavior: "error_if_incomplete",
    }),
  (error) => error instanceof errors.StripeCardError && error.code === "card_declined",
);

// A page is paid, which Stripe leaves to a browser.
const page = await stripe.checkout.sessions.create({
  mode: "subscription",
  client_reference_id: "t2",
  line_items: [{ price: price.id, quantity: 1 }],
  success_url: "https://app.example.test/",
});
assert.equal(page.status, "open");
const pay = `/v1/test_helpers/checkout/sessions/${page.id}/pay`;
await stripe.rawRequest("POST", pay, { payment_method: "pm_card_visa" });
const session = await stripe.checkout.sessions.retrieve(page.id, { expand: ["subscription"] });
assert.deepEqual([session.status, session.payment_status], ["complete", "paid"]);
assert.equal(session.subscription.status, "active");

// A schedule takes a subscription over, plans its next phase, and lets it go.
let schedule = await stripe.subscriptionSchedules.create({ from_subscription: subscription.id });
const { start_date, end_date } = schedule.phases[0];
schedule = await stripe.subscriptionSchedules.update(schedule.id, {
  phases: [
    { start_date, end_date, items: [{ price: price.id, quantity: 2 }] },
    { start_date: end_date, items: [{ price: price.id, quantity: 1 }] },
  ],
});
assert.deepEqual(
  schedule.phases.map((phase) => phase.items[0].quantity),
  [2, 1],
);
schedule = await stripe.subscriptionSchedules.release(schedule.id);
assert.equal(schedule.status, "released");
assert.equal(schedule.released_subscription, subscription.id);

// A test clock carries its customer over the end of a trial.
const begin = 1_700_000_000;
const clock = await stripe.testHelpers.testClocks.create({ frozen_time: begin });
const clocked = await stripe.customers.create({
  test_clock: clock.id,
  payment_method: "pm_card_visa",
  invoice_settings: { default_payment_method: "pm_card_visa" },
});
const trial = await stripe.subscriptions.create({
  customer: clocked.id,
  items: [{ price: price.id }],
  trial_period_days: 7,
});
assert.equal(trial.status, "trialing");
await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: trial.trial_end + 7200 });
assert.equal((await stripe.testHelpers.testClocks.retrieve(clock.id)).status, "ready");
assert.equal((await stripe.subscriptions.retrieve(trial.id)).status, "active");

// Events of some types and of some time, over several pages, the newest first.
const types = ["customer.created", "test_helpers.test_clock.created"];
const told = [];
for await (const each of stripe.events.list({ types, limit: 3 })) {
  told.push(each);
}
assert.ok(told.length > 9 && new Set(told.map((each) => each.id)).size === told.length);
assert.deepEqual(new Set(told.map((each) => each.type)), new Set(types));
const ofClock = await stripe.events
  .list({ types, created: { gte: begin, lt: begin + 1 }, limit: 1 })
  .autoPagingToArray({ limit: 10 });
assert.deepEqual(
  ofClock.map((each) => each.data.object.id),
  [clocked.id, clock.id],
);

// A delivered webhook is genuine, an altered one isn't.
const { body, signature, secret } = JSON.parse(readFileSync(webhookPath, "utf8"));
const event = stripe.webhooks.constructEvent(body, signature, secret);
assert.equal(event.type, "customer.created");
assert.equal(event.data.object.name, "Webhook");
assert.throws(
  () => stripe.webhooks.constructEvent(`${body} `, signature, secret),
  (error) => error instanceof errors.StripeSignatureVerificationError,
);
console.log("node: fine");
