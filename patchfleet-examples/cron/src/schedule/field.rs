//! A field of numbers: lists, ranges, steps and names.

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) min: i32,
    pub(super) max: i32,
    /// What numbers from `min` on are called.
    pub(super) names: &'static [&'static str],
    /// Whether a range may go over the end: `SAT-SUN`, `20-2`.
    pub(super) goes_round: bool,
}

/// The numbers that a field names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    min: i32,
    named: Vec<bool>,
}

impl Set {
    /// Whether it names `number`.
    pub(super) fn has(&self, number: i32) -> bool {
        usize::try_from(number - self.min)
            .ok()
            .and_then(|index| self.named.get(index))
            .is_some_and(|named| *named)
    }

    fn add(&mut self, number: i32) {
        let index = usize::try_from(number - self.min).ok();
        if let Some(named) = index.and_then(|index| self.named.get_mut(index)) {
            *named = true;
        }
    }
}

impl Field {
    /// A field of plain numbers.
    pub(super) const fn numbers(name: &'static str, min: i32, max: i32) -> Self {
        Self {
            name,
            min,
            max,
            names: &[],
            goes_round: true,
        }
    }

    /// Reads a list of elements: `*`, `a`, `a-b`, each with `/step`.
    pub(super) fn read(&self, text: &str) -> Result<Set, String> {
        let size = usize::try_from(self.max - self.min + 1).unwrap_or_default();
        let mut set = Set {
            min: self.min,
            named: vec![false; size],
        };
        for element in text.split(',') {
            self.read_element(text, element, &mut set)?;
        }
        Ok(set)
    }

    fn read_element(&self, text: &str, element: &str, set: &mut Set) -> Result<(), String> {
        let (range, step) = match element.split_once('/') {
            Some((range, step)) => (range, Some(self.step(text, step)?)),
            None => (element, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.min, self.max),
            Some((from, to)) => (self.value(text, from)?, self.value(text, to)?),
            None => {
                let from = self.value(text, range)?;
                (from, if step.is_some() { self.max } else { from })
            }
        };
        if from > to && !self.goes_round {
            let wrong = format!(
                "{from}-{to} goes backwards, and a {} does not come again",
                self.name
            );
            return Err(self.wrong(text, &wrong));
        }
        let size = self.max - self.min + 1;
        let length = (to - from).rem_euclid(size);
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
        for offset in (0..=length).step_by(step) {
            set.add(self.min + (from - self.min + offset).rem_euclid(size));
        }
        Ok(())
    }

    /// A number or a name of the field, names in any case.
    pub(super) fn value(&self, text: &str, value: &str) -> Result<i32, String> {
        let named = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(value));
        if let Some(index) = named.and_then(|index| i32::try_from(index).ok()) {
            return Ok(self.min + index);
        }
        if value.is_empty() {
            return Err(self.wrong(text, "a value is missing"));
        }
        let number = digits(value).ok_or_else(|| self.wrong(text, &format!("{value} is no value of it")))?;
        if !(self.min..=self.max).contains(&number) {
            return Err(self.wrong(text, &format!("{value} is out of range")));
        }
        Ok(number)
    }

    fn step(&self, text: &str, step: &str) -> Result<i32, String> {
        let most = self.max - self.min;
        digits(step)
            .filter(|step| (1..=most).contains(step))
            .ok_or_else(|| {
                self.wrong(
                    text,
                    &format!("/{step} is no step: a step is a number from 1 to {most}"),
                )
            })
    }

    /// The message that `text`, the whole field, has a problem.
    pub(super) fn wrong(&self, text: &str, why: &str) -> String {
        format!("{} = {text}: {why}; right would be {}", self.name, self.right())
    }

    /// What the field takes.
    fn right(&self) -> String {
        let (min, max) = (self.min, self.max);
        match (self.name, self.names) {
            ("day-of-month", _) => "1 to 31, L, LW, L-1 to L-30, 1W to 31W, or ?".to_owned(),
            ("day-of-week", _) => {
                "1 to 7 or SUN to SAT (days count from 1 = SUN), L, 1L to 7L, 1#1 to 7#5, or ?".to_owned()
            }
            (_, [first, .., last]) => format!("{min} to {max} or {first} to {last}, with , - * /"),
            _ => format!("{min} to {max}, with , - * /"),
        }
    }
}

/// A number of a few plain digits.
pub(super) fn digits(text: &str) -> Option<i32> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
