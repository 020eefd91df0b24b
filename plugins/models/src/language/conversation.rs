//! The three conversation styles that LLaVA-1.5 and 1.6 were trained in, as its original code writes them (`conversation.py`).

use super::chat::{Message, Rendering, Role};

const VICUNA: &str = "A chat between a curious user and an artificial intelligence assistant. \
                      The assistant gives helpful, detailed, and polite answers to the user's questions.";

/// A style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversation {
    /// `vicuna_v1`: `USER: ... ASSISTANT: ...</s>`, after an introduction.
    VicunaV1,
    /// `mistral_instruct`: `[INST] ... [/INST] ...</s>`.
    MistralInstruct,
    /// `chatml_direct`: `<|im_start|>user ... <|im_end|>`, after an introduction.
    ChatmlDirect,
}

impl Conversation {
    /// The names that the original code gives the styles.
    pub const NAMES: [&str; 3] = ["vicuna_v1", "mistral_instruct", "chatml_direct"];

    /// The style of a name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "vicuna_v1" => Some(Self::VicunaV1),
            "mistral_instruct" => Some(Self::MistralInstruct),
            "chatml_direct" => Some(Self::ChatmlDirect),
            _ => None,
        }
    }

    /// The introduction, where no message has one.
    const fn system(self) -> &'static str {
        match self {
            Self::VicunaV1 => VICUNA,
            Self::MistralInstruct => "",
            Self::ChatmlDirect => "<|im_start|>system\nAnswer the questions.",
        }
    }

    /// The prompt. A system message takes the place of the introduction.
    pub(super) fn render(self, messages: &[Message], rendering: &Rendering) -> String {
        let text = |message: &Message| message.flat(rendering.image_token);
        let own = messages.iter().find(|message| message.role == Role::System).map(text);
        let turns: Vec<(Role, String)> = messages
            .iter()
            .filter(|message| message.role != Role::System)
            .map(|message| (message.role, text(message)))
            .collect();
        let system = own.as_deref();
        match self {
            Self::VicunaV1 => vicuna(system.unwrap_or(self.system()), &turns, rendering),
            Self::MistralInstruct => mistral(system.unwrap_or(self.system()), &turns),
            Self::ChatmlDirect => {
                let system = system.map(|system| format!("<|im_start|>system\n{system}"));
                chatml(system.as_deref().unwrap_or(self.system()), &turns, rendering)
            }
        }
    }
}

fn vicuna(system: &str, turns: &[(Role, String)], rendering: &Rendering) -> String {
    let mut prompt = format!("{system} ");
    for (role, text) in turns {
        prompt += &match role {
            Role::Assistant => format!("ASSISTANT: {text}</s>"),
            Role::User | Role::System => format!("USER: {text} "),
        };
    }
    if rendering.add_generation_prompt {
        prompt += "ASSISTANT:";
    }
    prompt
}

/// The model's turn is opened by the end of the user's.
fn mistral(system: &str, turns: &[(Role, String)]) -> String {
    let mut prompt = String::new();
    for (number, (role, text)) in turns.iter().enumerate() {
        let introduction = if number == 0 && !system.is_empty() {
            format!("<<SYS>>\n{system}\n<</SYS>>\n\n")
        } else {
            String::new()
        };
        prompt += &match role {
            Role::Assistant => format!(" {text} </s>"),
            Role::User | Role::System => format!("[INST] {introduction}{text} [/INST]"),
        };
    }
    prompt
}

fn chatml(system: &str, turns: &[(Role, String)], rendering: &Rendering) -> String {
    let mut prompt = format!("{system}<|im_end|>");
    for (role, text) in turns {
        let name = if *role == Role::Assistant { "assistant" } else { "user" };
        prompt += &format!("<|im_start|>{name}\n{text}<|im_end|>");
    }
    if rendering.add_generation_prompt {
        prompt += "<|im_start|>assistant\n";
    }
    prompt
}
