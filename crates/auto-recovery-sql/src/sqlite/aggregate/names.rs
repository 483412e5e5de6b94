//! Texts by numbers.

use std::collections::HashMap;
use std::rc::Rc;

/// Some texts, numbered as they came.
#[derive(Default)]
pub(super) struct Names {
    numbers: HashMap<Rc<str>, u32>,
    texts: Vec<Rc<str>>,
    /// That of the last text: the next is often the same.
    last: u32,
}

impl Names {
    /// The number of `text`.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if self
            .texts
            .get(self.last as usize)
            .is_some_and(|last| **last == *text)
        {
            return self.last;
        }
        self.last = match self.numbers.get(text) {
            Some(number) => *number,
            None => {
                // An entry has some bytes: a database of 4 thousand million texts is none.
                let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
                let text: Rc<str> = text.into();
                self.texts.push(Rc::clone(&text));
                self.numbers.insert(text, number);
                number
            }
        };
        self.last
    }

    /// The text of this number.
    pub(super) fn text(&self, number: u32) -> String {
        let text = self.texts.get(number as usize);
        text.map(|text| text.to_string()).unwrap_or_default()
    }
}
