//! Questions and answers: those of a file, and those that follow from a product's data.

use super::recipe::{Recipe, Task};
use crate::bench::BenchError;
use crate::records::Lesson;
use crate::train::TrainError;
use adeval_sdk::{Instruction, Product, rng};
use std::collections::HashMap;
use std::path::Path;

/// Reads a file of lessons.
///
/// # Errors
/// [`BenchError::Read`] with file and line.
pub fn read(path: &Path) -> Result<Vec<Lesson>, BenchError> {
    let text = std::fs::read_to_string(path).map_err(BenchError::read(path))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let lessons = lines.map(|(at, line)| {
        let wrong = |reason: String| BenchError::Read {
            path: path.to_owned(),
            reason: format!("line {}: {reason}", at + 1),
        };
        let lesson: Lesson = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
        if lesson.answer.trim().is_empty() {
            return Err(wrong(format!(
                "the answer about \"{}\" is empty; leave the line out",
                lesson.product
            )));
        }
        Ok(lesson)
    });
    lessons.collect()
}

/// The instructions about products: the lessons first, then each task.
///
/// # Errors
/// [`TrainError::Recipe`] when nothing is left.
pub fn instructions(
    recipe: &Recipe,
    lessons: &[Lesson],
    products: &[Product],
) -> Result<(Vec<Instruction>, usize), TrainError> {
    let known: HashMap<&str, &Product> = products.iter().map(|one| (one.id.as_str(), one)).collect();
    let mut all = Vec::new();
    let mut strangers = 0;
    for lesson in lessons {
        match known.get(lesson.product.as_str()) {
            Some(product) => all.push(Instruction {
                condition: (*product).clone(),
                question: lesson.question.clone(),
                answer: lesson.answer.trim().to_owned(),
            }),
            None => strangers += 1,
        }
    }
    for task in &recipe.tasks {
        all.extend(products.iter().filter_map(|product| asked(task, product, recipe.seed)));
    }
    if all.is_empty() {
        return Err(recipe.wrong(
            "there is nothing to learn: no lesson is about a known product, and no [[task]] has an answer; give data.market, data.lessons or a task",
        ));
    }
    Ok((all, strangers))
}

/// A task about a product, when the product's data have the answer.
fn asked(task: &Task, product: &Product, seed: u64) -> Option<Instruction> {
    let chance = rng::derive(seed, &["question", &task.name, &product.id]);
    let question = &task.questions[(chance % task.questions.len() as u64) as usize];
    let answer = filled(&task.answer, product)?;
    Some(Instruction { condition: product.clone(), question: Some(question.clone()), answer })
}

/// A template with a product's data in its places; `None` when one has no value.
fn filled(template: &str, product: &Product) -> Option<String> {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        let value = match name {
            "title" => product.title.clone(),
            "category" => product.category.last()?.clone(),
            "categories" => product.category.join(", "),
            attribute => product.attributes.get(attribute)?.clone(),
        };
        if value.trim().is_empty() {
            return None;
        }
        text += before;
        text += value.trim();
        rest = after;
    }
    Some(text + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_sdk::Image;

    fn lamp() -> Product {
        let mut product = Product::new("lamp", "Red Lamp", Image::from(image::RgbaImage::new(1, 1)));
        product.category = vec!["Home".into(), "Lamps".into()];
        product.attributes.insert("color".into(), "red".into());
        product
    }

    #[test]
    fn answers_come_from_a_products_data_or_not_at_all() {
        let of = |template: &str| filled(template, &lamp());
        assert_eq!(
            of("{title}: a {color} one of {categories}.").unwrap(),
            "Red Lamp: a red one of Home, Lamps."
        );
        assert_eq!(of("{category}").unwrap(), "Lamps");
        assert_eq!(of("made of {material}"), None);
        assert_eq!(of("an open {place"), None);
    }

    #[test]
    fn a_line_that_is_no_lesson_is_named() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("lessons.jsonl");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            super::read(&path).map_err(|error| error.to_string())
        };
        let good = "{\"product\":\"lamp\",\"answer\":\"On oak.\"}\n";
        assert_eq!(read(good).unwrap().len(), 1);
        assert!(read(&format!("{good}\nnonsense")).unwrap_err().contains("line 3"));
        assert!(read("{\"product\":\"lamp\",\"answer\":\" \"}").unwrap_err().contains("is empty"));
        assert!(read("{\"product\":\"lamp\",\"reply\":\"x\"}").unwrap_err().contains("reply"));
    }
}
