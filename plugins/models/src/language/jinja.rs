//! The Jinja of chat templates, as `transformers` renders it: blocks trimmed, Python's string methods, `raise_exception`,
//! `strftime_now`, `tojson` in Python's spelling, `{% generation %}`, `break` and `continue`.
//!
//! Templates come with checkpoints and are not trusted: they can call nothing else, and end after a million steps.

use std::path::{Path, PathBuf};

use jiff::Zoned;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, context};
use serde::Serialize;
use serde_json::ser::Formatter;

use super::chat::{Message, Rendering};
use super::tokenizer::SpecialTokens;
use crate::tensors::read_config;
use crate::{ModelError, Result};

const NAME: &str = "chat_template";
/// Steps after which a template is given up.
const FUEL: u64 = 1_000_000;

/// A parsed template.
pub struct JinjaTemplate {
    environment: Environment<'static>,
    special: SpecialTokens,
    path: PathBuf,
    takes_parts: bool,
}

impl JinjaTemplate {
    pub(super) fn new(source: &str, special: &SpecialTokens, path: &Path) -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_formatter(written);
        environment.add_function("raise_exception", |message: String| -> std::result::Result<(), Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_filter("tojson", tojson);
        let source = without_generation(source);
        let takes_parts = takes_parts(&source);
        environment.add_template_owned(NAME, source).map_err(fault(path))?;
        Ok(Self { environment, special: special.clone(), path: path.to_owned(), takes_parts })
    }

    pub(super) fn render(&self, messages: &[Message], rendering: &Rendering) -> Result<String> {
        let template = self.environment.get_template(NAME).map_err(fault(&self.path))?;
        let messages = if self.takes_parts {
            Value::from_serialize(messages)
        } else {
            let flat = |message: &Message| {
                context! { role => message.role, content => message.flat(rendering.image_token) }
            };
            messages.iter().map(flat).collect()
        };
        let now = rendering.now;
        let strftime_now = Value::from_function(move |format: String| told(now, &format));
        let mut known: Vec<(String, Value)> = self
            .special
            .named()
            .into_iter()
            .map(|(name, token)| (name.to_owned(), Value::from(token)))
            .collect();
        known.push(("messages".to_owned(), messages));
        known.push(("add_generation_prompt".to_owned(), Value::from(rendering.add_generation_prompt)));
        known.push(("strftime_now".to_owned(), strftime_now));
        // `transformers` passes them always; templates ask `if tools`.
        known.push(("tools".to_owned(), Value::from(())));
        known.push(("documents".to_owned(), Value::from(())));
        template.render(known.into_iter().collect::<Value>()).map_err(fault(&self.path))
    }
}

/// The template of a folder and the file that it is in.
pub(super) fn find(dir: &Path) -> Result<Option<(PathBuf, String)>> {
    let jinja = dir.join("chat_template.jinja");
    if jinja.is_file() {
        let text = std::fs::read_to_string(&jinja);
        let text = text.map_err(|source| ModelError::Read { path: jinja.clone(), source })?;
        return Ok(Some((jinja, text)));
    }
    for name in ["chat_template.json", "tokenizer_config.json"] {
        let path = dir.join(name);
        if !path.is_file() {
            continue;
        }
        let config: serde_json::Value = read_config(&path)?;
        if let Some(template) = chosen(&config["chat_template"]) {
            return Ok(Some((path, template)));
        }
    }
    Ok(None)
}

/// A template, or the one called `default` of several.
fn chosen(template: &serde_json::Value) -> Option<String> {
    let text = match template {
        serde_json::Value::Array(several) => {
            &several.iter().find(|template| template["name"] == "default")?["template"]
        }
        one => one,
    };
    text.as_str().map(str::to_owned)
}

/// Whether a template goes through the parts of a message, pictures among them; the others add `content` to strings.
fn takes_parts(source: &str) -> bool {
    ["'image'", "\"image\"", "'text'", "\"text\""].iter().any(|word| source.contains(word))
}

/// `{% generation %}` marks what a model said, for training; it renders as what is in it.
fn without_generation(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(end) = rest[start..].find("%}").map(|length| start + length + 2) else { break };
        let tag = &rest[start..end];
        let word = tag.trim_start_matches("{%").trim_end_matches("%}").trim_matches(['-', '+']).trim();
        out += &rest[..start];
        out += &match word {
            "generation" => tag.replacen(word, "if true", 1),
            "endgeneration" => tag.replacen(word, "endif", 1),
            _ => tag.to_owned(),
        };
        rest = &rest[end..];
    }
    out + rest
}

fn fault(path: &Path) -> impl Fn(Error) -> ModelError {
    move |error| {
        let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
        let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        let reason = match error.kind() {
            ErrorKind::SyntaxError => format!("the chat template cannot be parsed{line}: {detail}"),
            ErrorKind::OutOfFuel => format!("the chat template does not end within {FUEL} steps"),
            _ => format!("the chat template refuses these messages{line}: {detail}"),
        };
        ModelError::Config { path: path.to_owned(), reason }
    }
}

/// As Python's `str` writes them.
fn written(out: &mut Output, state: &State, value: &Value) -> std::result::Result<(), Error> {
    let word = match value.kind() {
        ValueKind::None => "None",
        ValueKind::Bool if value.is_true() => "True",
        ValueKind::Bool => "False",
        _ => return minijinja::escape_formatter(out, state, value),
    };
    out.write_str(word).map_err(Error::from)
}

/// The time as Python's `strftime` writes it.
fn told(now: Option<DateTime>, format: &str) -> std::result::Result<String, Error> {
    let now = now.unwrap_or_else(|| Zoned::now().datetime());
    strtime::format(format, now)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("strftime_now: {error}")))
}

/// Python's `json.dumps(value, ensure_ascii=False, indent=indent)`.
fn tojson(value: Value, options: Kwargs) -> std::result::Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Taken and of no consequence: nothing is escaped anyway.
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let broken = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let mut bytes = Vec::new();
    if let Some(indent) = indent {
        let spaces = " ".repeat(indent);
        let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        value.serialize(&mut serializer).map_err(broken)?;
    } else {
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Spaced);
        value.serialize(&mut serializer).map_err(broken)?;
    }
    String::from_utf8(bytes).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// A space after `,` and `:`, as Python writes JSON.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}
