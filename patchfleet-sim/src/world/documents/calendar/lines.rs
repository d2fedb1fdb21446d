//! iCalendar's content lines (RFC 5545, 3.1), put together to components.

/// `NAME;PARAMETER=VALUE:VALUE`.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: String,
    parameters: Vec<(String, String)>,
    pub(super) value: String,
}

/// What stands between `BEGIN:NAME` and `END:NAME`.
#[derive(Debug, Default)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
    pub(super) parts: Vec<Component>,
}

impl Line {
    /// `None`: it is no content line.
    fn read(text: &str) -> Option<Self> {
        let mut quoted = false;
        let mut pieces = vec![String::new()];
        let mut rest = text.char_indices();
        let value = loop {
            let (at, c) = rest.next()?;
            match c {
                '"' => quoted = !quoted,
                ':' if !quoted => break text.get(at + 1..)?,
                ';' if !quoted => pieces.push(String::new()),
                _ => pieces.last_mut()?.push(c),
            }
        };
        let mut pieces = pieces.into_iter();
        let name = pieces.next().filter(|name| !name.is_empty())?;
        let parameter = |piece: String| {
            let (name, value) = piece.split_once('=')?;
            Some((name.to_ascii_uppercase(), value.to_owned()))
        };
        Some(Self {
            name: name.to_ascii_uppercase(),
            parameters: pieces.map(parameter).collect::<Option<_>>()?,
            value: value.to_owned(),
        })
    }

    /// One line for each value of a list of them.
    pub(super) fn values(&self) -> impl Iterator<Item = Self> {
        self.value.split(',').map(|value| Self {
            value: value.to_owned(),
            ..self.clone()
        })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.parameters.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

impl Component {
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.lines
            .iter()
            .find(|line| line.name == name)
            .map(|line| line.value.trim())
    }
}

/// Reads a text that is one VCALENDAR.
pub(super) fn read(text: &str) -> Result<Component, String> {
    // A line that begins with white space goes on with the one before.
    let text = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let mut open: Vec<Component> = vec![];
    let mut whole = None;
    for (index, text) in text
        .lines()
        .enumerate()
        .filter(|(_, text)| !text.trim().is_empty())
    {
        let wrong = |what: &str| format!("line {}: {what}", index + 1);
        let line = Line::read(text).ok_or_else(|| wrong("this is no line of an iCalendar"))?;
        if whole.is_some() {
            return Err(wrong("something follows the calendar's end"));
        }
        match (line.name.as_str(), open.last_mut()) {
            ("BEGIN", _) => open.push(Component {
                name: line.value.trim().to_ascii_uppercase(),
                ..Component::default()
            }),
            (_, None) => return Err(wrong("an iCalendar begins with BEGIN:VCALENDAR")),
            ("END", Some(_)) => {
                let done = open.pop().unwrap_or_default();
                if done.name != line.value.trim().to_ascii_uppercase() {
                    return Err(wrong("this ends what has not begun"));
                }
                match open.last_mut() {
                    Some(around) => around.parts.push(done),
                    None => whole = Some(done),
                }
            }
            (_, Some(part)) => part.lines.push(line),
        }
    }
    whole
        .filter(|calendar| calendar.name == "VCALENDAR")
        .ok_or_else(|| "this is no whole VCALENDAR".to_owned())
}
