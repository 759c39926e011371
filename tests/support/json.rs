//! As much of JSON as statistics are written in. Objects keep their order.

use std::str::FromStr;

#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Number(i64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl FromStr for Json {
    type Err = String;

    fn from_str(text: &str) -> Result<Json, String> {
        let mut reader = Reader { rest: text };
        let value = reader.value()?;
        reader.space();
        match reader.rest {
            "" => Ok(value),
            rest => Err(format!("more than one value: {rest}")),
        }
    }
}

impl Json {
    pub fn members(&self) -> &[(String, Json)] {
        match self {
            Json::Object(members) => members,
            other => panic!("no object: {other:?}"),
        }
    }

    pub fn items(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            other => panic!("no list: {other:?}"),
        }
    }

    pub fn number(&self) -> i64 {
        match self {
            Json::Number(number) => *number,
            other => panic!("no number: {other:?}"),
        }
    }

    pub fn get(&self, name: &str) -> &Json {
        let found = self.members().iter().find(|(key, _)| key == name);
        &found.unwrap_or_else(|| panic!("no `{name}` in {self:?}")).1
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, part: char) -> bool {
        self.space();
        match self.rest.strip_prefix(part) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, part: char) -> Result<(), String> {
        if self.takes(part) {
            return Ok(());
        }
        Err(format!("no `{part}` before: {:.40}", self.rest))
    }

    fn text(&mut self) -> Result<String, String> {
        self.expect('"')?;
        let end = self.rest.find('"').ok_or("a text without end")?;
        let text = self.rest[..end].to_string();
        if text.contains('\\') {
            return Err(format!("an escape in {text}, which no statistics need"));
        }
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    fn value(&mut self) -> Result<Json, String> {
        self.space();
        match self.rest.chars().next() {
            Some('"') => self.text().map(Json::Text),
            Some('{') => {
                self.expect('{')?;
                self.rows('}', |reader| {
                    let key = reader.text()?;
                    reader.expect(':')?;
                    Ok((key, reader.value()?))
                })
                .map(Json::Object)
            }
            Some('[') => {
                self.expect('[')?;
                self.rows(']', Reader::value).map(Json::List)
            }
            _ => {
                let is_part = |c: char| c.is_ascii_digit() || c == '-';
                let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
                let (number, rest) = self.rest.split_at(end);
                self.rest = rest;
                number
                    .parse()
                    .map(Json::Number)
                    .map_err(|_| format!("no value: {rest:.40}"))
            }
        }
    }

    fn rows<T>(
        &mut self,
        end: char,
        row: impl Fn(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let mut rows = Vec::new();
        if self.takes(end) {
            return Ok(rows);
        }
        loop {
            rows.push(row(self)?);
            if self.takes(end) {
                return Ok(rows);
            }
            self.expect(',')?;
        }
    }
}
