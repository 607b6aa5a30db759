//! Bodies of webhooks with gaps to fill: `{{name}}` in a file of `bodies/`.

/// A body, divided at its gaps.
pub(crate) struct Template {
    parts: Vec<Part>,
}

enum Part {
    Text(&'static str),
    Gap(&'static str),
}

impl Template {
    /// Reads a template.
    ///
    /// # Panics
    /// When a gap has no end: the files are part of the program.
    pub(crate) fn new(text: &'static str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text.trim_end();
        while let Some((before, after)) = rest.split_once("{{") {
            let (gap, after) = after.split_once("}}").expect("a gap ends with two braces");
            parts.extend([Part::Text(before), Part::Gap(gap)]);
            rest = after;
        }
        parts.push(Part::Text(rest));
        Self { parts }
    }

    /// Appends the body to `out`; `fill` appends what belongs into the gap it's told.
    pub(crate) fn write(&self, out: &mut Vec<u8>, mut fill: impl FnMut(&str, &mut Vec<u8>)) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Gap(name) => fill(name, out),
            }
        }
    }
}
