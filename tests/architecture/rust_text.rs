//! Telling apart code, comments and literals of a Rust source.
//!
//! Rules about words would otherwise trip over their own descriptions and over messages. It isn't a
//! parser: it knows just enough of the lexical rules to never mistake one for another.

/// What a character belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Code,
    Comment,
    /// A string or character literal, without its quotes.
    Literal,
}

/// The lines of a source, numbered from 1, with only the given parts; the rest is blank.
pub(crate) fn lines_of(text: &str, parts: &[Part]) -> Vec<(usize, String)> {
    let mut blanked = String::with_capacity(text.len());
    for (character, part) in classify(text) {
        let kept = character == '\n' || parts.contains(&part);
        blanked.push(if kept { character } else { ' ' });
    }
    blanked.lines().map(str::to_owned).zip(1..).map(|(line, number)| (number, line)).collect()
}

/// Every character with the part it belongs to.
pub(crate) fn classify(text: &str) -> Vec<(char, Part)> {
    let characters: Vec<char> = text.chars().collect();
    let mut scanner = Scanner { characters: &characters, parts: Vec::new() };
    while scanner.at() < characters.len() {
        scanner.step();
    }
    characters.iter().copied().zip(scanner.parts).collect()
}

struct Scanner<'a> {
    characters: &'a [char],
    parts: Vec<Part>,
}

impl Scanner<'_> {
    fn at(&self) -> usize {
        self.parts.len()
    }

    fn peek(&self, ahead: usize) -> char {
        self.characters.get(self.at() + ahead).copied().unwrap_or('\0')
    }

    fn take(&mut self, count: usize, part: Part) {
        let left = self.characters.len() - self.at();
        self.parts.extend(std::iter::repeat_n(part, count.min(left)));
    }

    fn done(&self) -> bool {
        self.at() >= self.characters.len()
    }

    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => {
                while !self.done() && self.peek(0) != '\n' {
                    self.take(1, Part::Comment);
                }
            }
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', _) => self.quote(),
            (first, _) if first.is_alphabetic() || first == '_' => self.word(),
            _ => self.take(1, Part::Code),
        }
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => {
                    depth += 1;
                    self.take(2, Part::Comment);
                }
                ('*', '/') => {
                    depth -= 1;
                    self.take(2, Part::Comment);
                }
                _ => self.take(1, Part::Comment),
            }
            if depth == 0 || self.done() {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.take(1, Part::Code);
        while !self.done() && self.peek(0) != '"' {
            let escaped = self.peek(0) == '\\';
            self.take(if escaped { 2 } else { 1 }, Part::Literal);
        }
        self.take(1, Part::Code);
    }

    /// A character literal or a lifetime.
    fn quote(&mut self) {
        self.take(1, Part::Code);
        if self.peek(0) == '\\' {
            self.take(2, Part::Literal);
            while !self.done() && self.peek(0) != '\'' {
                self.take(1, Part::Literal);
            }
            self.take(1, Part::Code);
        } else if self.peek(1) == '\'' {
            self.take(1, Part::Literal);
            self.take(1, Part::Code);
        }
    }

    /// An identifier, or the prefix of a literal: `r"`, `br#"`, `b'`. A raw identifier is neither.
    fn word(&mut self) {
        let mut word = String::new();
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            word.push(self.peek(0));
            self.take(1, Part::Code);
        }
        if !matches!(word.as_str(), "r" | "br" | "cr") {
            return;
        }
        let hashes = (0..).take_while(|&ahead| self.peek(ahead) == '#').count();
        if self.peek(hashes) != '"' {
            return;
        }
        self.take(hashes + 1, Part::Code);
        let closes = |scanner: &Self| {
            scanner.peek(0) == '"' && (1..=hashes).all(|ahead| scanner.peek(ahead) == '#')
        };
        while !self.done() && !closes(self) {
            self.take(1, Part::Literal);
        }
        self.take(hashes + 1, Part::Code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let lines = lines_of(text, &[Part::Code]);
        let lines: Vec<String> =
            lines.into_iter().map(|(_, line)| line.split_whitespace().collect()).collect();
        lines.join("\n")
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        assert_eq!(code("a // b\nc /* d /* e */ f */ g"), "a\ncg");
        assert_eq!(
            code(r#"x("a // \" b", 'c', '\'', '"', b'd') // y"#),
            r#"x("","","","",b"")"#.replace(r#""","","","",b"""#, r#""",'','','',b''"#)
        );
        assert_eq!(
            code("r\"a\\\" b r#\"c \" d\"# e br##\"\"#\"## f r#type"),
            "r\"\"br#\"\"#ebr##\"\"##fr#type"
        );
        assert_eq!(
            code("fn f<'a>(x: &'a str) -> &'static str { 'b' }"),
            "fnf<'a>(x:&'astr)->&'staticstr{''}"
        );
    }

    #[test]
    fn every_character_has_a_part() {
        for text in ["", "\"", "r#\"", "/*", "'", "'\\", "\"\\", "ü 'ü' \"ü\""] {
            assert_eq!(classify(text).len(), text.chars().count(), "{text}");
        }
    }

    #[test]
    fn comments_can_be_asked_for() {
        assert_eq!(lines_of("a\nb // c", &[Part::Comment])[1], (2, "  // c".to_owned()));
    }
}
