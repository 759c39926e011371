//! Source text on one line, for messages.

use quote::ToTokens;

/// Rust tokens with the usual spacing: `*mut c_void` instead of `* mut c_void`.
pub fn rust(tokens: &impl ToTokens) -> String {
    let spacing = [
        ("* mut ", "*mut "),
        ("* const ", "*const "),
        (" :: ", "::"),
        (":: ", "::"),
        (" :", ":"),
        (" ,", ","),
        (" ;", ";"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("( ", "("),
        (" )", ")"),
        ("[ ", "["),
        (" ]", "]"),
        ("fn (", "fn("),
        ("# [", "#["),
        ("& ", "&"),
    ];
    let text = tokens.to_token_stream().to_string();
    let text = spacing
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to));
    without_call_spaces(&text)
        .replace(",)", ")")
        .replace(",>", ">")
}

/// `name (` and `name<T> (` lose their space, `-> (` and `= (` keep it.
fn without_call_spaces(text: &str) -> String {
    let mut result = String::new();
    for c in text.chars() {
        let head = result.strip_suffix(' ').unwrap_or(&result);
        let calls = head.ends_with(|c: char| c.is_alphanumeric() || "_>".contains(c));
        if c == '(' && calls && !head.ends_with("->") && !head.ends_with(" as") {
            result.truncate(head.len());
        }
        result.push(c);
    }
    result
}

/// C text with every run of white space as one space.
pub fn c(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.join(" ");
    [
        (" ;", ";"),
        (" ,", ","),
        ("( ", "("),
        (" )", ")"),
        ("_Bool", "bool"),
    ]
    .iter()
    .fold(words, |text, (from, to)| text.replace(from, to))
    .trim_end_matches(';')
    .into()
}
