//! What an allow-list is made of: the fields of one type of object, each with its format.

use super::personal::is_personal;

/// The fields of one type of object that are kept. Everything else is dropped unread.
pub(crate) struct Shape {
    fields: &'static [Field],
    /// Where a key's field may stand in `fields`: a hash table made when the program is compiled,
    /// because the look-up runs for every key of every webhook.
    slots: [u8; SLOTS],
}

/// One kept field.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What a kept field may hold. `null` is kept for every kind; whatever has another form is dropped,
/// but where a whole number is due, it is kept that there was something else.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// An id.
    Id,
    /// A value of an open enum.
    Code,
    /// A whole number.
    Int,
    /// A number that may have a fraction; with one it is kept as a decimal text.
    Number,
    /// A decimal text (`unit_amount_decimal`).
    Decimal,
    /// `true` or `false`.
    Flag,
    /// Business text that is public by its nature: what a product or a price is called.
    Text,
    /// A country's two letters.
    Country,
    /// A card's brand.
    Brand,
    /// An id of a trainer, else nothing.
    Trainer,
    /// The configured keys of `metadata`.
    Metadata,
    /// An object.
    Object(&'static Shape),
    /// An object whose type is told by its own `object` field.
    Typed,
    /// An id, or the whole object where Stripe was asked to expand it.
    Link(&'static Shape),
    /// An array.
    List(&'static Kind),
    /// A list as Stripe pages it: `{object: "list", data: [...], has_more}`.
    Page(&'static Kind),
}

const SLOTS: usize = 256;
const EMPTY: u8 = u8::MAX;

impl Shape {
    pub(crate) const fn new(fields: &'static [Field]) -> Self {
        assert!(fields.len() < SLOTS / 2, "a table this full would be slow");
        let mut slots = [EMPTY; SLOTS];
        let mut index = 0_u8;
        while (index as usize) < fields.len() {
            let name = fields[index as usize].name;
            assert!(!is_personal(name), "a field about a person is never kept");
            let name = name.as_bytes();
            if index > 0 {
                let before = fields[index as usize - 1].name.as_bytes();
                assert!(precedes(before, name), "the fields are not in alphabetical order");
            }
            let mut slot = hash(name);
            while slots[slot] != EMPTY {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = index;
            index += 1;
        }
        Self { fields, slots }
    }

    /// The place among `fields` of the field of that name, if it is kept.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        let mut slot = hash(name.as_bytes());
        while self.slots[slot] != EMPTY {
            let place = usize::from(self.slots[slot]);
            if self.fields[place].name == name {
                return Some(place);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }

    /// The kept fields in alphabetical order.
    pub(crate) const fn fields(&self) -> &'static [Field] {
        self.fields
    }
}

/// Length and four characters tell Stripe's field names apart well enough.
const fn hash(name: &[u8]) -> usize {
    let len = name.len();
    if len == 0 {
        return 0;
    }
    let first = name[0] as usize;
    let third = name[if len > 2 { 2 } else { 0 }] as usize;
    let middle = name[len / 2] as usize;
    let last = name[len - 1] as usize;
    (len * 7 + first * 5 + third * 31 + middle * 11 + last * 59) % SLOTS
}

/// Whether `a` stands before `b` in the alphabet.
const fn precedes(a: &[u8], b: &[u8]) -> bool {
    let mut index = 0;
    while index < a.len() && index < b.len() {
        if a[index] != b[index] {
            return a[index] < b[index];
        }
        index += 1;
    }
    a.len() < b.len()
}

/// Declares allow-lists: `NAME { field: Kind, ... }`, one line per field, in alphabetical order.
macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $kind:expr,)* })*) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: $crate::redact::shape::Shape = {
                use $crate::redact::shape::{Field, Kind::*, Shape};
                static FIELDS: &[Field] = &[$(Field { name: stringify!($field), kind: $kind },)*];
                Shape::new(FIELDS)
            };
        )*
    };
}
pub(crate) use shapes;
