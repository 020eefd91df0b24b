//! Parameters: described by their schema, and refused by name when they are wrong.

use super::super::exercise::{Case, Exercise};
use super::super::rule::{Finding, Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::rule;
use crate::plugin::parameters;
use adeval_sdk::{ComponentManifest, ErrorKind, PluginError};
use serde_json::{Map, Value, json};

pub static RULES: [Rule; 5] = [
    rule!("schema-valid", Basic, Scope::Any, "the schema is valid and admits the defaults", schema),
    rule!("creates", Basic, Scope::Any, "it can be created with the parameters of the check", creates),
    rule!("unknown-parameter", Standard, Scope::Any, "a misspelt parameter is refused by name", unknown),
    rule!(
        "wrong-type-parameter",
        Standard,
        Scope::Any,
        "a parameter of a wrong type is refused by name",
        wrong_type
    ),
    rule!(
        "extreme-parameters",
        Standard,
        Scope::Any,
        "extreme numbers are refused by name, or served",
        extremes
    ),
];

fn schema(subject: &Subject) -> Verdict {
    let component = subject.component()?;
    ensure!(component.parameters.is_object(), "the schema of the parameters is no JSON object");
    parameters::validate(component, &component.defaults)
        .map_err(|error| Finding::Failed(format!("the defaults do not fit the schema: {}", error.message)))?;
    let described = parameters::describe(component);
    let silent: Vec<&str> =
        described.iter().filter(|p| p.description.is_empty()).map(|p| p.name.as_str()).collect();
    if silent.is_empty() {
        return Ok(format!("{} parameters, all described", described.len()));
    }
    Err(Finding::Warning(format!("without a description: {}; give them doc comments", silent.join(", "))))
}

fn creates(subject: &Subject) -> Verdict {
    let component = subject.component()?;
    parameters::validate(component, subject.parameters())?;
    subject.create()?;
    Ok(String::new())
}

/// Creates with wrong parameters as a suite would: the host's look at the schema first, then the component's own.
fn refusal(subject: &Subject, component: &ComponentManifest, wrong: &Value) -> Option<PluginError> {
    let refused = parameters::validate(component, wrong).err();
    refused.or_else(|| subject.create_with(wrong).err())
}

fn with(subject: &Subject, key: &str, value: Value) -> Value {
    let mut parameters = subject.parameters().as_object().cloned().unwrap_or_default();
    parameters.insert(key.into(), value);
    Value::Object(parameters)
}

/// A refusal must be of the right kind and name the parameter.
fn well_refused(key: &str, error: &PluginError) -> Result<(), Finding> {
    ensure!(
        error.kind == ErrorKind::InvalidParameters,
        "\"{key}\": {error}; the error should be InvalidParameters"
    );
    ensure!(error.message.contains(key), "the refusal does not name \"{key}\": {}", error.message);
    Ok(())
}

fn unknown(subject: &Subject) -> Verdict {
    let key = "no_such_parameter";
    let wrong = with(subject, key, json!(1));
    match refusal(subject, subject.component()?, &wrong) {
        Some(error) => well_refused(key, &error).map(|()| error.message),
        None => Err(Finding::Failed(format!(
            "\"{key}\" was accepted; give the parameters `#[serde(deny_unknown_fields)]`"
        ))),
    }
}

fn properties(component: &ComponentManifest) -> Map<String, Value> {
    component.parameters.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn wrong_type(subject: &Subject) -> Verdict {
    let component = subject.component()?;
    let properties = properties(component);
    if properties.is_empty() {
        return Err(Finding::Skipped("it has no parameters".into()));
    }
    for key in properties.keys() {
        // No sensible parameter is a list that holds a table with this key.
        let wrong = with(subject, key, json!([{ "no_such_thing": [null] }]));
        match refusal(subject, component, &wrong) {
            Some(error) => well_refused(key, &error)?,
            None => return Err(Finding::Failed(format!("\"{key}\" took a list of tables"))),
        }
    }
    Ok(format!("{} parameters", properties.len()))
}

fn extremes(subject: &Subject) -> Verdict {
    let component = subject.component()?;
    let numeric: Vec<String> = parameters::describe(component)
        .into_iter()
        .filter(|p| (p.allowed.contains("number") || p.allowed.contains("integer")) && !p.name.contains('.'))
        .map(|p| p.name)
        .collect();
    if numeric.is_empty() {
        return Err(Finding::Skipped("it has no numeric parameters".into()));
    }
    let (mut refused, mut served) = (0, 0);
    for key in &numeric {
        for value in [json!(-1e300), json!(1e300), json!(-1), json!(0), json!(u64::MAX), Value::Null] {
            let wrong = with(subject, key, value.clone());
            if let Some(error) = refusal(subject, component, &wrong) {
                well_refused(key, &error)?;
                refused += 1;
                continue;
            }
            serve(subject, &wrong).map_err(|error| {
                Finding::Failed(format!(
                    "\"{key}\" = {value} was accepted, and then a request failed: {error}"
                ))
            })?;
            served += 1;
        }
    }
    Ok(format!("{refused} refused and {served} served, of {} parameters", numeric.len()))
}

/// An ordinary request under odd parameters: a result or an error that says what is wrong, never a panic.
fn serve(subject: &Subject, parameters: &Value) -> Result<(), PluginError> {
    let kind = subject.component().map(|c| c.kind).map_err(|_| PluginError::violation("no component"))?;
    let exercise = Exercise::new(kind, subject.create_with(parameters)?)?;
    match exercise.one(&Case::new(subject.seed(), 0, (128, 128))) {
        Err(error) if error.kind == ErrorKind::InvalidRequest => Ok(()),
        other => other.map(drop),
    }
}
