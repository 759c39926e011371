//! The questions to the compilers.

use crate::c_types::CType;
use crate::fault::{Fault, Sort};

/// Two expressions that must have the same value: one for the C compiler, one for Rust's.
pub struct Question {
    pub name: String,
    pub about: About,
    pub c: String,
    pub rust: String,
}

pub enum About {
    /// 1 if the types agree.
    Type { header: String, binding: String },
    /// A number, such as "the size".
    Number(String),
}

impl Question {
    pub fn number(name: &str, what: impl Into<String>, c: String, rust: String) -> Question {
        Question {
            name: name.into(),
            about: About::Number(what.into()),
            c,
            rust,
        }
    }

    /// Is the C expression `pointer` a pointer to the type of the binding?
    pub fn type_(name: &str, header: &str, pointer: &str, claim: &CType) -> Question {
        let own_name = name.rsplit('.').next().unwrap_or(name);
        Question {
            name: name.into(),
            about: About::Type {
                header: header.into(),
                binding: claim.declaration(own_name),
            },
            c: format!(
                "_Generic({pointer}, {}: 1, default: 0)",
                claim.clone().pointer().text()
            ),
            rust: "1".into(),
        }
    }

    /// The fault, if the answers differ.
    pub fn judge(&self, c: u64, rust: u64) -> Option<Fault> {
        let text = match &self.about {
            _ if c == rust => return None,
            About::Type { header, binding } => format!("header: {header}; binding: {binding}"),
            About::Number(what) => {
                format!("{what} is {} in C and {} in Rust", c as i64, rust as i64)
            }
        };
        Some(Fault {
            sort: Sort::Differs,
            name: self.name.clone(),
            text,
        })
    }
}
