//! What a subscription business gets from Stripe: customers sign up through Checkout and renew.
//!
//! A sign-up is ten webhooks and a renewal eight, with the objects of one customer naming each
//! other as Stripe's do. Customers come in waves, and within a wave their webhooks are mixed, so
//! that neighbours in the log belong to different customers, but one customer's are not far apart.

use std::io::Write;

use crate::template::Template;

/// How many customers are served at the same time.
const WAVE: u64 = WAVE_STEP as u64;
const WAVE_STEP: usize = 256;

/// How often a customer renews within the bench.
const RENEWALS: u64 = 2;

const DAY_S: i64 = 86_400;

/// Which webhook of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    CustomerCreated,
    ChargeSucceeded,
    PaymentIntentSucceeded,
    SubscriptionCreated,
    SubscriptionUpdated,
    InvoiceCreated,
    InvoiceFinalized,
    InvoicePaid,
    InvoicePaymentSucceeded,
    InvoicePaymentPaid,
    SessionCompleted,
}

/// The order in which Stripe generates them.
const SIGN_UP: [Kind; 10] = [
    Kind::CustomerCreated,
    Kind::ChargeSucceeded,
    Kind::PaymentIntentSucceeded,
    Kind::SubscriptionCreated,
    Kind::InvoiceCreated,
    Kind::InvoiceFinalized,
    Kind::InvoicePaid,
    Kind::InvoicePaymentSucceeded,
    Kind::InvoicePaymentPaid,
    Kind::SessionCompleted,
];

const RENEWAL: [Kind; 8] = [
    Kind::SubscriptionUpdated,
    Kind::InvoiceCreated,
    Kind::InvoiceFinalized,
    Kind::ChargeSucceeded,
    Kind::PaymentIntentSucceeded,
    Kind::InvoicePaid,
    Kind::InvoicePaymentSucceeded,
    Kind::InvoicePaymentPaid,
];

/// How many webhooks one customer causes.
pub(crate) const WEBHOOKS_PER_CUSTOMER: u64 =
    SIGN_UP.len() as u64 + RENEWALS * RENEWAL.len() as u64;

/// Slug, name and amount of the plans that customers choose.
const PLANS: [(&str, &str, i64); 3] = [
    ("starter", "Starter", 2_900),
    ("professional", "Professional", 7_900),
    ("enterprise", "Enterprise", 19_900),
];

/// One webhook: whose, in which month of the subscription, at which place of the sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    customer: u64,
    cycle: u64,
    step: u64,
    kind: Kind,
}

impl Moment {
    /// Whether the webhook is about a subscription.
    pub(crate) fn is_subscription(&self) -> bool {
        matches!(self.kind, Kind::SubscriptionCreated | Kind::SubscriptionUpdated)
    }
}

/// The webhooks of the customers from `first` on, in the order in which they are sent.
pub(crate) fn moments(first: u64, customers: u64) -> impl Iterator<Item = Moment> {
    (0..=RENEWALS).flat_map(move |cycle| {
        let steps: &'static [Kind] = if cycle == 0 { &SIGN_UP } else { &RENEWAL };
        (first..first + customers).step_by(WAVE_STEP).flat_map(move |wave| {
            let wave = wave..(wave + WAVE).min(first + customers);
            (0..).zip(steps).flat_map(move |(step, &kind)| {
                wave.clone().map(move |customer| Moment { customer, cycle, step, kind })
            })
        })
    })
}

/// Writes bodies.
pub(crate) struct Bodies {
    /// When the first customer signed up.
    epoch: i64,
    customer: Template,
    charge: Template,
    payment_intent: Template,
    subscription_created: Template,
    subscription_updated: Template,
    invoice: Template,
    invoice_payment: Template,
    session: Template,
}

impl Bodies {
    /// Bodies whose last events are about a day older than `now`.
    pub(crate) fn new(now: i64) -> Self {
        macro_rules! template {
            ($name:literal) => {
                Template::new(include_str!(concat!("bodies/", $name, ".json.in")))
            };
        }
        Self {
            epoch: now - 62 * DAY_S,
            customer: template!("customer_created"),
            charge: template!("charge_succeeded"),
            payment_intent: template!("payment_intent_succeeded"),
            subscription_created: template!("subscription_created"),
            subscription_updated: template!("subscription_updated"),
            invoice: template!("invoice"),
            invoice_payment: template!("invoice_payment_paid"),
            session: template!("checkout_session_completed"),
        }
    }

    /// Appends the body of one webhook.
    pub(crate) fn write(&self, moment: Moment, out: &mut Vec<u8>) {
        let template = match moment.kind {
            Kind::CustomerCreated => &self.customer,
            Kind::ChargeSucceeded => &self.charge,
            Kind::PaymentIntentSucceeded => &self.payment_intent,
            Kind::SubscriptionCreated => &self.subscription_created,
            Kind::SubscriptionUpdated => &self.subscription_updated,
            Kind::InvoiceCreated
            | Kind::InvoiceFinalized
            | Kind::InvoicePaid
            | Kind::InvoicePaymentSucceeded => &self.invoice,
            Kind::InvoicePaymentPaid => &self.invoice_payment,
            Kind::SessionCompleted => &self.session,
        };
        let gaps = Gaps {
            moment,
            start: self.epoch + (moment.customer / WAVE * 60).cast_signed() % DAY_S,
        };
        template.write(out, |name, out| gaps.fill(name, out));
    }
}

/// What belongs into the gaps of one body.
struct Gaps {
    moment: Moment,
    /// When the customer signed up.
    start: i64,
}

impl Gaps {
    fn fill(&self, name: &str, out: &mut Vec<u8>) {
        let Moment { customer, cycle, .. } = self.moment;
        match name {
            "event" => self.id("evt_", cycle << 8 | self.moment.step, out),
            "request" => self.id("req_", cycle << 8 | self.moment.step, out),
            "customer" => self.id("cus_", 0, out),
            "subscription" => self.id("sub_", 0, out),
            "item" => self.id("si_", 0, out),
            "payment_method" => self.id("pm_", 0, out),
            "session" => self.id("cs_", 0, out),
            "invoice" => self.id("in_", cycle, out),
            "old_invoice" => self.id("in_", cycle.saturating_sub(1), out),
            "line" => self.id("il_", cycle, out),
            "charge" => self.id("ch_", cycle, out),
            "payment_intent" => self.id("pi_", cycle, out),
            "invoice_payment" => self.id("inpay_", cycle, out),
            "random" => self.id("", cycle, out),
            "idempotency_key" => self.idempotency_key(out),
            "trainer" => text(out, format_args!("trainer_{customer}")),
            "name" => text(out, format_args!("Example Person {customer}")),
            "email" => text(out, format_args!("person{customer}@example.com")),
            _ if name.starts_with("old_") => self.fill_plan(&name[4..], cycle.max(1) - 1, out),
            _ if self.fill_plan_or_time(name, out) => {}
            _ => self.fill_invoice(name, out),
        }
    }

    fn fill_plan_or_time(&self, name: &str, out: &mut Vec<u8>) -> bool {
        let opened = self.period_start(self.moment.cycle);
        match name {
            "created" => text(out, format_args!("{}", self.created())),
            "object_created" => text(out, format_args!("{opened}")),
            "start" => text(out, format_args!("{}", self.start)),
            "plan" | "price" | "product" | "amount" | "amount_text" | "amount_display"
            | "period_start" | "period_end" => self.fill_plan(name, self.moment.cycle, out),
            _ => return false,
        }
        true
    }

    fn fill_plan(&self, name: &str, cycle: u64, out: &mut Vec<u8>) {
        let (slug, plan, amount) = self.plan(cycle);
        match name {
            "plan" => text(out, format_args!("{plan}")),
            "price" => text(out, format_args!("price_{slug}_month")),
            "product" => text(out, format_args!("prod_{slug}")),
            "amount" | "amount_text" => text(out, format_args!("{amount}")),
            "amount_display" => text(out, format_args!("{}.{:02}", amount / 100, amount % 100)),
            "period_start" => text(out, format_args!("{}", self.period_start(cycle))),
            "period_end" => text(out, format_args!("{}", self.period_start(cycle + 1))),
            _ => unreachable!("a gap nobody fills: {name}"),
        }
    }

    fn fill_invoice(&self, name: &str, out: &mut Vec<u8>) {
        let (_, _, amount) = self.plan(self.moment.cycle);
        let kind = self.moment.kind;
        let draft = kind == Kind::InvoiceCreated;
        let paid = !draft && kind != Kind::InvoiceFinalized;
        let opened = self.period_start(self.moment.cycle);
        match name {
            "type" => text(out, format_args!("{}", invoice_type(kind))),
            "invoice_status" => {
                let status = if draft { "draft" } else { "open" };
                text(out, format_args!("{}", if paid { "paid" } else { status }));
            }
            "billing_reason" => {
                let first = self.moment.cycle == 0;
                let reason = if first { "subscription_create" } else { "subscription_cycle" };
                text(out, format_args!("{reason}"));
            }
            "amount_paid" => text(out, format_args!("{}", if paid { amount } else { 0 })),
            "amount_remaining" => text(out, format_args!("{}", if paid { 0 } else { amount })),
            "attempt_count" => text(out, format_args!("{}", i32::from(paid))),
            "attempted" => text(out, format_args!("{paid}")),
            "auto_advance" => text(out, format_args!("{}", !paid)),
            "effective_at" | "finalized_at" => null_or(out, draft, format_args!("{}", opened + 5)),
            "paid_at" => null_or(out, !paid, format_args!("{}", opened + 6)),
            "number" => {
                let Moment { customer, cycle, .. } = self.moment;
                null_or(out, draft, format_args!("\"K7Q{customer:05}-{:04}\"", cycle + 1));
            }
            "hosted_invoice_url" => self.link("", draft, out),
            "invoice_pdf" => self.link("/pdf", draft, out),
            _ => unreachable!("a gap nobody fills: {name}"),
        }
    }

    /// Every eighth customer moves up with the second renewal.
    fn plan(&self, cycle: u64) -> (&'static str, &'static str, i64) {
        let customer = self.moment.customer;
        let moved = cycle == RENEWALS && customer.is_multiple_of(8);
        let level = match (customer % 3, moved) {
            (0, false) => 0,
            (0, true) | (1, false) => 1,
            _ => 2,
        };
        PLANS[level]
    }

    fn period_start(&self, cycle: u64) -> i64 {
        self.start + cycle.cast_signed() * 30 * DAY_S
    }

    /// A sign-up takes seconds; a renewal's invoice stays a draft for an hour.
    fn created(&self) -> i64 {
        let Moment { cycle, step, .. } = self.moment;
        let draft_s = if cycle > 0 && step > 1 { 3_600 } else { 0 };
        self.period_start(cycle) + draft_s + step.cast_signed()
    }

    /// An id as Stripe makes them: mostly time and account first, then chance.
    fn id(&self, prefix: &str, part: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(prefix.as_bytes());
        out.push(b'1');
        base62(self.start.cast_unsigned(), 5, out);
        out.extend_from_slice(b"A9xW20mQrT");
        let object = prefix.bytes().fold(0, |seed, byte| mix(seed ^ u64::from(byte)));
        base62(mix(object ^ (self.moment.customer << 16 | part)), 8, out);
    }

    fn idempotency_key(&self, out: &mut Vec<u8>) {
        let Moment { customer, cycle, step, .. } = self.moment;
        let (high, low) = (mix(customer), mix(customer << 16 | cycle << 8 | step));
        let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
        let (d, e) = (low >> 52, low & 0xffff_ffff_ffff);
        text(out, format_args!("{a:08x}-{b:04x}-4{c:03x}-8{d:03x}-{e:012x}"));
    }

    fn link(&self, end: &str, absent: bool, out: &mut Vec<u8>) {
        let tail = mix(self.moment.customer);
        let link =
            format_args!("\"https://invoice.stripe.com/i/acct_1A9xW2/live_{tail:016x}{end}\"");
        null_or(out, absent, link);
    }
}

fn invoice_type(kind: Kind) -> &'static str {
    match kind {
        Kind::InvoiceCreated => "invoice.created",
        Kind::InvoiceFinalized => "invoice.finalized",
        Kind::InvoicePaid => "invoice.paid",
        _ => "invoice.payment_succeeded",
    }
}

fn text(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes everything");
}

fn null_or(out: &mut Vec<u8>, absent: bool, value: std::fmt::Arguments<'_>) {
    text(out, if absent { format_args!("null") } else { value });
}

fn base62(mut value: u64, digits: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let end = out.len() + digits;
    out.resize(end, b'0');
    for digit in out[end - digits..].iter_mut().rev() {
        *digit = DIGITS[(value % 62) as usize];
        value /= 62;
    }
}

/// Scatters numbers (the finaliser of SplitMix64): ids need to look like chance and to come again.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
