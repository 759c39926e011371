//! Function-like macros that are a call: `((tp*)mi_calloc(n,sizeof(tp)))`.

/// The call in a macro's body.
#[derive(Debug, PartialEq)]
pub struct Call {
    /// The result is cast to a pointer to the macro's type parameter.
    pub casts: bool,
    pub callee: String,
    pub arguments: Vec<Argument>,
}

#[derive(Debug, PartialEq)]
pub enum Argument {
    Parameter(String),
    /// `sizeof` of the named parameter, which thereby is a type.
    SizeOf(String),
}

impl Call {
    /// The parameter that is a type.
    pub fn type_parameter(&self) -> Option<&str> {
        self.arguments.iter().find_map(|argument| match argument {
            Argument::SizeOf(name) => Some(name.as_str()),
            Argument::Parameter(_) => None,
        })
    }
}

/// Reads the body of a macro with these parameters; `None` if it is not only a call.
pub fn call(parameters: &[String], body: &str) -> Option<Call> {
    let compact: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let mut rest = compact.as_str();
    while let Some(inner) = without_outer_parentheses(rest) {
        rest = inner;
    }
    let mut cast = None;
    if let Some((type_, after)) = rest
        .strip_prefix('(')
        .and_then(|rest| rest.split_once("*)"))
    {
        (cast, rest) = (Some(type_), after);
    }
    let (callee, arguments) = rest.strip_suffix(')')?.split_once('(')?;
    let is_name = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let argument = |text: &str| match text.strip_prefix("sizeof(") {
        Some(type_) => Some(Argument::SizeOf(type_.strip_suffix(')')?.into())),
        None => Some(Argument::Parameter(text.into())),
    };
    let arguments: Vec<Argument> = arguments
        .split(',')
        .filter(|text| !text.is_empty())
        .map(argument)
        .collect::<Option<_>>()?;
    let known = arguments.iter().all(|argument| match argument {
        Argument::Parameter(name) | Argument::SizeOf(name) => parameters.contains(name),
    });
    let call = Call {
        casts: cast.is_some(),
        callee: callee.into(),
        arguments,
    };
    let cast_fits = cast.is_none() || cast == call.type_parameter();
    (is_name(callee) && known && cast_fits).then_some(call)
}

/// The text inside, if the last character closes the first parenthesis.
fn without_outer_parentheses(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let mut depth = 0;
    for c in inner.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &str, body: &str) -> Option<Call> {
        let parameters: Vec<String> = parameters.split(',').map(String::from).collect();
        call(&parameters, body)
    }

    #[test]
    fn a_cast_call_with_the_size_of_its_type() {
        let found = read("tp,n", "((tp*)fx_calloc(n,sizeof(tp)))").unwrap();
        assert!(found.casts);
        assert_eq!(found.callee, "fx_calloc");
        assert_eq!(found.type_parameter(), Some("tp"));
        let expected = [
            Argument::Parameter("n".into()),
            Argument::SizeOf("tp".into()),
        ];
        assert_eq!(found.arguments, expected);
    }

    #[test]
    fn a_call_without_a_cast() {
        let found = read("tp,p", "(fx_free_sized(p,sizeof(tp)))").unwrap();
        assert!(!found.casts);
        assert_eq!(found.callee, "fx_free_sized");
        assert_eq!(found.arguments.len(), 2);
    }

    #[test]
    fn another_name_for_a_function() {
        let found = read("p,force", "fx_collect(p, force)").unwrap();
        assert_eq!((found.casts, found.type_parameter()), (false, None));
        assert_eq!(read("", "fx_main()").unwrap().arguments, []);
    }

    #[test]
    fn anything_else_is_no_call() {
        assert_eq!(read("s", "__attribute__((alloc_size(s)))"), None);
        assert_eq!(read("name", "fx_t name; fx_init(&name);"), None);
        assert_eq!(read("tp", "((other*)fx_new(sizeof(tp)))"), None);
    }
}
