//! Chat templates against transformers and LLaVA's original code. Goldens:
//! `python fixtures/scripts/goldens_llava_chat.py ORIGINAL`.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use adeval_models::language::tokenizer::SpecialTokens;
use adeval_models::language::{ChatTemplate, Content, Message, Rendering, Role};
use serde::Deserialize;

use support::{Parity, goldens};

const PARITY: Parity = Parity::new("llava", "transformers 5.24.0, Pillow 13.0.0, LLaVA c121f04");

#[derive(Deserialize)]
struct Facts {
    templates: BTreeMap<String, String>,
    conversations: Vec<Vec<Said>>,
    rendered: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Said {
    role: String,
    content: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

impl Said {
    fn message(&self) -> Message {
        let role = match self.role.as_str() {
            "system" => Role::System,
            "user" => Role::User,
            _ => Role::Assistant,
        };
        let part = |part: &Part| match &part.text {
            Some(text) => Content::Text { text: text.clone() },
            None => Content::Image,
        };
        Message { role, content: self.content.iter().map(part).collect() }
    }
}

fn facts() -> Facts {
    let text = fs::read(goldens().join("llava/chat.json")).expect("the golden's facts");
    serde_json::from_slice(&text).expect("facts of the known form")
}

fn special() -> SpecialTokens {
    let token = |text: &str| Some(text.to_owned());
    SpecialTokens { bos: token("<s>"), eos: token("</s>"), pad: token("<pad>"), unk: token("<unk>") }
}

fn parse(source: &str) -> adeval_models::Result<ChatTemplate> {
    ChatTemplate::parse(source, &special(), Path::new("chat_template.jinja"))
}

#[test]
fn prompts_equal_those_of_the_references() {
    let facts = facts();
    for (name, expected) in &facts.rendered {
        let template = match facts.templates.get(name) {
            Some(source) => parse(source),
            None => ChatTemplate::named(name),
        };
        let template = template.unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut expected = expected.iter();
        for said in &facts.conversations {
            let messages: Vec<Message> = said.iter().map(Said::message).collect();
            for add_generation_prompt in [true, false] {
                let rendering = Rendering { add_generation_prompt, ..Rendering::default() };
                let found = template.render(&messages, &rendering).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(Some(&found), expected.next(), "{name}");
            }
        }
        PARITY.number(&format!("chat template, {name}"), "prompts that differ", 0.0, 0.0);
    }
}

#[test]
fn the_time_is_told_as_python_tells_it() {
    let template = parse("{{ strftime_now('%d %b %Y, %H:%M:%S %A %-d') }}").expect("a template");
    let now = "2026-03-07T04:05:09".parse().expect("a time");
    let rendering = Rendering { now: Some(now), ..Rendering::default() };
    let told = template.render(&[], &rendering).expect("the time");
    assert_eq!(told, "07 Mar 2026, 04:05:09 Saturday 7");
    assert!(template.render(&[], &Rendering::default()).expect("the clock").len() > 20);
    let odd = parse("{{ strftime_now('%Q%!') }}").expect("a template");
    assert!(odd.render(&[], &rendering).expect_err("no such word").to_string().contains("strftime_now"));
}

#[test]
fn what_a_template_refuses_is_told_with_its_file() {
    let said = |template: &str| {
        let parsed = parse(template);
        let result = parsed.and_then(|t| t.render(&[Message::text(Role::User, "a")], &Rendering::default()));
        result.expect_err("refused").to_string()
    };
    let error = said("\n{% if true %}{{ raise_exception('roles must alternate') }}{% endif %}");
    assert!(error.contains("chat_template.jinja: the chat template refuses these messages"), "{error}");
    assert!(error.contains("roles must alternate"), "{error}");
    let error = said("{% for m in messages %}");
    assert!(error.contains("chat_template.jinja: the chat template cannot be parsed"), "{error}");
    let endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    assert!(said(endless).contains("does not end within"));
    let error = ChatTemplate::named("vicuna").err().expect("no such name").to_string();
    assert!(error.contains("vicuna_v1, mistral_instruct, chatml_direct"), "{error}");
}

#[test]
fn templates_are_found_where_checkpoints_keep_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let find = || {
        let found = ChatTemplate::from_dir(folder.path(), &special()).expect("readable");
        found.map(|template| template.render(&[], &Rendering::default()).expect("a prompt"))
    };
    assert_eq!(find(), None);
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    let several =
        r#"{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#;
    write("tokenizer_config.json", several);
    assert_eq!(find().as_deref(), Some("d"));
    write("chat_template.json", r#"{"chat_template": "p"}"#);
    assert_eq!(find().as_deref(), Some("p"));
    write("chat_template.jinja", "{{ bos_token }}j");
    assert_eq!(find().as_deref(), Some("<s>j"));
}
