//! What is told of a product.

use adeval_models::llava::reward::Subject;
use adeval_sdk::Product;

/// Title and attributes, in the order in which a shop's page has them.
pub fn subject(product: &Product) -> Subject {
    let mut attributes = Vec::new();
    let mut tell = |name: &str, value: String| attributes.push((name.to_owned(), value));
    if !product.category.is_empty() {
        tell("category", product.category.join(" > "));
    }
    let currency = product.currency.as_deref().unwrap_or_default();
    for (name, price) in [("price", product.price), ("list price", product.list_price)] {
        if let Some(price) = price {
            tell(name, format!("{price:.2} {currency}").trim_end().to_owned());
        }
    }
    for (name, count) in
        [("good comments", product.good_comments), ("orders in a year", product.yearly_orders)]
    {
        if let Some(count) = count {
            tell(name, count.to_string());
        }
    }
    for (name, value) in &product.attributes {
        tell(name, value.clone());
    }
    Subject { caption: product.title.clone(), attributes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_sdk::Image;

    #[test]
    fn only_what_is_known_is_told() {
        let image = Image::from(image::RgbaImage::new(1, 1));
        let mut product = Product::new("bag", "Red bag", image);
        assert_eq!(subject(&product), Subject { caption: "Red bag".to_owned(), attributes: Vec::new() });
        product.category = vec!["Bags".to_owned(), "Handbags".to_owned()];
        product.price = Some(59.0);
        product.yearly_orders = Some(5300);
        product.attributes.insert("colour".to_owned(), "red".to_owned());
        let told: Vec<String> =
            subject(&product).attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(told, ["category=Bags > Handbags", "price=59.00", "orders in a year=5300", "colour=red"]);
    }
}
