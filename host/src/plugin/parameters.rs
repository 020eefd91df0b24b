//! Checks parameters against a component's schema, before anything is created, and says what is wrong in words.

use adeval_sdk::{ComponentManifest, PluginError, Result};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Wrong;
use serde_json::Value;

/// Checks `parameters` (`null` stands for none) against the schema of `component`.
///
/// # Errors
/// `InvalidParameters`: names each wrong parameter, its value and what is allowed.
pub fn validate(component: &ComponentManifest, parameters: &Value) -> Result<()> {
    let id = &component.info.id;
    let schema = &component.parameters;
    let validator = jsonschema::validator_for(schema)
        .map_err(|e| PluginError::violation(format!("the schema of {id}'s parameters is invalid: {e}")))?;
    let none = Value::Object(serde_json::Map::new());
    let parameters = if parameters.is_null() { &none } else { parameters };
    // Of a component without parameters the validator says only that something is there, not what.
    let superfluous = parameters.as_object().filter(|_| takes_none(schema)).into_iter().flatten();
    let mut complaints: Vec<String> = superfluous.map(|(name, _)| unknown(name, &[])).collect();
    if complaints.is_empty() {
        complaints = validator.iter_errors(parameters).map(|e| complaint(schema, &e)).collect();
    }
    if complaints.is_empty() {
        complaints = misfits(schema, resolve(schema, schema), parameters, "");
    }
    if complaints.is_empty() {
        return Ok(());
    }
    let error = PluginError::invalid_parameters(format!("{id}: {}", complaints.join("; ")));
    Err(error.with_hint(format!("adeval plugin inspect {id} shows all parameters")))
}

/// Integers that no machine's integer holds: JSON Schema counts 1e300 as one.
fn misfits(root: &Value, schema: &Value, parameters: &Value, prefix: &str) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let given = |(key, property)| Some((key, resolve(root, property), parameters.get(key)?));
    let given = properties.into_iter().flatten().filter_map(given);
    given
        .flat_map(|(key, property, value)| {
            let name = format!("{prefix}{key}");
            let integer = property.get("type").is_some_and(|t| t == "integer");
            if integer && !value.is_u64() && !value.is_i64() && value.as_f64().is_some_and(|v| v.abs() > 9e15)
            {
                return vec![format!("\"{name}\" is {value}; that is too large for an integer")];
            }
            misfits(root, property, value, &format!("{name}."))
        })
        .collect()
}

fn takes_none(schema: &Value) -> bool {
    schema.get("additionalProperties") == Some(&Value::Bool(false)) && known_names(Some(schema)).is_empty()
}

/// One parameter, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name; a dot leads into a table.
    pub name: String,
    /// What it may be.
    pub allowed: String,
    /// What it is when nobody says.
    pub default: String,
    /// What it does.
    pub description: String,
}

/// Describes all parameters of a component, in the order of its schema.
pub fn describe(component: &ComponentManifest) -> Vec<Described> {
    let root = &component.parameters;
    let mut tables = Tables { root, left: MOST_PARAMETERS, described: Vec::new() };
    tables.describe(resolve(root, root), &component.defaults, "");
    tables.described
}

/// The most parameters that are put into words: a schema may refer to itself, and has no end then.
const MOST_PARAMETERS: u32 = 1000;

/// How many choices within each other are put into words, for the same reason.
const DEEPEST_CHOICE: u32 = 3;

struct Tables<'s> {
    root: &'s Value,
    left: u32,
    described: Vec<Described>,
}

impl Tables<'_> {
    fn describe(&mut self, schema: &Value, defaults: &Value, prefix: &str) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (key, property) in properties.into_iter().flatten() {
            let Some(left) = self.left.checked_sub(1) else { return };
            self.left = left;
            let name = format!("{prefix}{key}");
            let target = resolve(self.root, property);
            let default = &defaults[key.as_str()];
            // A name of this length is of a table within itself.
            if target.get("properties").is_some() && name.len() < 500 {
                self.describe(target, default, &format!("{name}."));
                continue;
            }
            let text = |schema: &Value| schema.get("description").and_then(Value::as_str).map(str::to_owned);
            self.described.push(Described {
                name,
                allowed: allowed(self.root, property),
                default: shown(default),
                description: text(property).or_else(|| text(target)).unwrap_or_default().replace('\n', " "),
            });
        }
    }
}

/// A default for people: nothing for `null`, and a single-precision number without its double-precision tail.
fn shown(default: &Value) -> String {
    match default.as_f64() {
        _ if default.is_null() => String::new(),
        Some(number) if default.is_f64() && f64::from(number as f32) == number => {
            format!("{:?}", number as f32)
        }
        _ => default.to_string(),
    }
}

fn complaint(schema: &Value, error: &ValidationError<'_>) -> String {
    let path = error.instance_path().to_string();
    let name = path.trim_start_matches('/').replace('/', ".");
    let within = if name.is_empty() { String::new() } else { format!("in \"{name}\" ") };
    let name = if name.is_empty() { "the table of parameters".to_owned() } else { format!("\"{name}\"") };
    match error.kind() {
        Wrong::AdditionalProperties { unexpected } | Wrong::UnevaluatedProperties { unexpected } => {
            let known = known_names(locate(schema, &path));
            unexpected
                .iter()
                .map(|name| within.clone() + &unknown(name, &known))
                .collect::<Vec<_>>()
                .join("; ")
        }
        Wrong::Required { property } => format!("{within}parameter {property} is missing"),
        _ => {
            let value = shortened(error.instance());
            match locate(schema, &path).map(|s| allowed(schema, s)).filter(|words| !words.is_empty()) {
                Some(words) => format!("{name} is {value}; it must be {words}"),
                None => format!("{name} is not acceptable: {error}"),
            }
        }
    }
}

fn unknown(name: &str, known: &[String]) -> String {
    let guess = super::closest(name, known.iter().map(String::as_str));
    match guess {
        Some(guess) => format!("there is no parameter \"{name}\"; did you mean \"{guess}\"?"),
        None if known.is_empty() => format!("there is no parameter \"{name}\"; it takes none"),
        None => format!("there is no parameter \"{name}\"; there are {}", known.join(", ")),
    }
}

fn known_names(schema: Option<&Value>) -> Vec<String> {
    let properties = schema.and_then(|s| s.get("properties")).and_then(Value::as_object);
    properties.map(|p| p.keys().cloned().collect()).unwrap_or_default()
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}

/// The schema that applies to an instance path, through references, properties and items.
fn locate<'s>(root: &'s Value, path: &str) -> Option<&'s Value> {
    path.split('/').filter(|step| !step.is_empty()).try_fold(resolve(root, root), |schema, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        let next = schema
            .get("properties")
            .and_then(|p| p.get(&step))
            .or_else(|| schema.get("additionalProperties").filter(|s| s.is_object()))
            .or_else(|| schema.get("items"))?;
        Some(resolve(root, next))
    })
}

fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| root.pointer(r.strip_prefix('#')?));
    target.unwrap_or(schema)
}

/// What a schema allows, in words; empty when it has none for it.
fn allowed(root: &Value, schema: &Value) -> String {
    allowed_within(root, schema, DEEPEST_CHOICE)
}

fn allowed_within(root: &Value, schema: &Value, depth: u32) -> String {
    let schema = resolve(root, schema);
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return one_of(options.iter().map(Value::to_string).collect());
    }
    if let Some(constant) = schema.get("const") {
        return constant.to_string();
    }
    if let Some(parts) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
        let Some(depth) = depth.checked_sub(1) else { return String::new() };
        let mut words: Vec<String> = parts.iter().map(|part| allowed_within(root, part, depth)).collect();
        words.retain(|part| !part.is_empty());
        words.dedup();
        return one_of(words);
    }
    let kind = type_words(schema);
    let text = [kind, range(schema), length(schema), pattern(schema)];
    text.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
}

fn one_of(mut options: Vec<String>) -> String {
    match options.pop() {
        None => String::new(),
        Some(last) if options.is_empty() => last,
        Some(last) => format!("{} or {last}", options.join(", ")),
    }
}

fn type_words(schema: &Value) -> String {
    let word = |name: &str| match name {
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a string",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        "null" => "null",
        _ => "another type",
    };
    match schema.get("type") {
        Some(Value::String(name)) => word(name).to_owned(),
        Some(Value::Array(names)) => {
            one_of(names.iter().filter_map(Value::as_str).map(|name| word(name).to_owned()).collect())
        }
        _ => String::new(),
    }
}

fn range(schema: &Value) -> String {
    let low = bound(schema, "minimum", "exclusiveMinimum", "above");
    let high = bound(schema, "maximum", "exclusiveMaximum", "below");
    match (low, high) {
        (Some((low, true)), Some((high, true))) => format!("from {low} to {high}"),
        (Some((low, true)), None) => format!("of at least {low}"),
        (None, Some((high, true))) => format!("of at most {high}"),
        (Some((low, inclusive)), Some((high, _))) => {
            let start = if inclusive { format!("from {low}") } else { low };
            format!("{start} and {}{high}", if high.starts_with("below") { "" } else { "at most " })
        }
        (Some((only, false)), None) | (None, Some((only, false))) => only,
        (None, None) => String::new(),
    }
}

/// A bound and whether it is inclusive; an exclusive one comes with its preposition.
fn bound(schema: &Value, inclusive: &str, exclusive: &str, word: &str) -> Option<(String, bool)> {
    let number = |key| schema.get(key).filter(|v| v.is_number()).map(Value::to_string);
    number(exclusive).map(|v| (format!("{word} {v}"), false)).or_else(|| number(inclusive).map(|v| (v, true)))
}

fn length(schema: &Value) -> String {
    let number = |key| schema.get(key).filter(|v| v.is_number());
    let (low, high, unit) = if schema.get("items").is_some() {
        (number("minItems"), number("maxItems"), "items")
    } else {
        (number("minLength"), number("maxLength"), "characters")
    };
    match (low, high) {
        (Some(low), Some(high)) => format!("of {low} to {high} {unit}"),
        (Some(low), None) => format!("of at least {low} {unit}"),
        (None, Some(high)) => format!("of at most {high} {unit}"),
        (None, None) => String::new(),
    }
}

fn pattern(schema: &Value) -> String {
    schema.get("pattern").and_then(Value::as_str).map(|p| format!("that matches {p}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_sdk::{ComponentInfo, ErrorKind, Kind};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Style {
        /// Few words.
        #[default]
        Terse,
        /// Many words.
        Rich,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Lens {
        /// Depth of field.
        #[schemars(range(min = 0.5, max = 32.0))]
        aperture: f64,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Parameters {
        #[schemars(range(min = 1, max = 64))]
        samples: u32,
        style: Style,
        lens: Lens,
        palette: Option<String>,
        #[schemars(length(max = 2))]
        words: Vec<String>,
    }

    fn component() -> ComponentManifest {
        ComponentManifest {
            kind: Kind::PromptGenerator,
            info: ComponentInfo::new("writer", "for a test"),
            trainable: false,
            parameters: serde_json::to_value(schemars::schema_for!(Parameters)).unwrap(),
            defaults: serde_json::to_value(Parameters::default()).unwrap(),
        }
    }

    fn check(parameters: &Value) -> Result<()> {
        validate(&component(), parameters)
    }

    fn message(parameters: &Value) -> String {
        let error = check(parameters).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidParameters);
        error.message
    }

    #[test]
    fn parameters_are_described_with_tables_flattened() {
        let all = describe(&component());
        let names: Vec<&str> = all.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["lens.aperture", "palette", "samples", "style", "words"]);
        let aperture = Described {
            name: "lens.aperture".into(),
            allowed: "a number from 0.5 to 32.0".into(),
            default: "0.0".into(),
            description: "Depth of field.".into(),
        };
        assert_eq!(all[0], aperture);
        assert_eq!((shown(&json!(f64::from(0.78_f32))), shown(&Value::Null)), ("0.78".into(), String::new()));
    }

    #[test]
    fn a_schema_within_itself_has_an_end() {
        let parameters = json!({
            "properties": {"again": {"$ref": "#"}, "choice": {"$ref": "#/$defs/choice"}},
            "$defs": {"choice": {"anyOf": [{"$ref": "#/$defs/choice"}, {"type": "null"}]}}
        });
        let endless = ComponentManifest { parameters, ..component() };
        let described = describe(&endless);
        assert!((1..=MOST_PARAMETERS as usize).contains(&described.len()), "{}", described.len());
        assert!(described.iter().any(|d| d.name == "choice" && d.allowed.contains("null")));
    }

    #[test]
    fn good_parameters_pass() {
        let all = json!({"samples": 3, "style": "rich", "lens": {"aperture": 2}, "palette": null, "words": ["a", "b"]});
        for good in [Value::Null, json!({}), all] {
            check(&good).unwrap();
        }
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_range() {
        assert_eq!(
            message(&json!({"samples": 65})),
            "writer: \"samples\" is 65; it must be an integer from 1 to 64"
        );
        let nested = message(&json!({"lens": {"aperture": 0.1}}));
        assert_eq!(nested, "writer: \"lens.aperture\" is 0.1; it must be a number from 0.5 to 32.0");
    }

    #[test]
    fn an_integer_that_no_machine_holds_is_refused_by_name() {
        #[derive(Default, Serialize, Deserialize, JsonSchema)]
        struct Seeded {
            seed: u64,
        }
        let parameters = serde_json::to_value(schemars::schema_for!(Seeded)).unwrap();
        let seeded = ComponentManifest { parameters, ..component() };
        let error = validate(&seeded, &json!({"seed": 1e300})).unwrap_err();
        assert_eq!(error.message, "writer: \"seed\" is 1e+300; that is too large for an integer");
        validate(&seeded, &json!({"seed": u64::MAX})).unwrap();
    }

    #[test]
    fn a_wrong_type_and_a_wrong_choice_say_what_is_allowed() {
        assert_eq!(
            message(&json!({"style": "prose"})),
            "writer: \"style\" is \"prose\"; it must be \"terse\" or \"rich\""
        );
        assert_eq!(message(&json!({"palette": 3})), "writer: \"palette\" is 3; it must be a string or null");
        let long = message(&json!({"words": ["a", "b", "c"]}));
        assert!(long.ends_with("it must be a list of at most 2 items"), "{long}");
        assert_eq!(message(&json!([1])), "writer: the table of parameters is [1]; it must be a table");
    }

    #[test]
    fn a_component_without_parameters_names_what_it_does_not_take() {
        #[derive(Default, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        let parameters = serde_json::to_value(schemars::schema_for!(Nothing)).unwrap();
        let error =
            validate(&ComponentManifest { parameters, ..component() }, &json!({"depth": 1})).unwrap_err();
        assert_eq!(error.message, "writer: there is no parameter \"depth\"; it takes none");
    }

    #[test]
    fn an_unknown_parameter_gets_the_likely_one_or_the_list() {
        assert_eq!(
            message(&json!({"sample": 3})),
            "writer: there is no parameter \"sample\"; did you mean \"samples\"?"
        );
        let nested = message(&json!({"lens": {"apertur": 3}}));
        assert_eq!(
            nested,
            "writer: in \"lens\" there is no parameter \"apertur\"; did you mean \"aperture\"?"
        );
        assert!(message(&json!({"zzz": 1})).contains("there are lens, palette, samples, style, words"));
        assert_eq!(message(&json!({"sample": 3, "samples": 0})).matches("; ").count(), 3);
    }
}
