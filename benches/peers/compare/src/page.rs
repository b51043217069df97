//! The page that shows the tables and plots: what was measured is put between its marks, everything else stays.

use std::error::Error;
use std::path::Path;

use crate::report::Report;

/// Writes the tables into `page` and the plots into the folder beside it that is called like it.
pub(crate) fn write(page: &Path, report: &Report) -> Result<(), Box<dyn Error>> {
    for (name, block) in report.blocks() {
        put(page, name, &block)?;
    }
    let folder = page.with_extension("");
    std::fs::create_dir_all(&folder)?;
    for (name, plot) in report.plots() {
        std::fs::write(folder.join(name), plot)?;
    }
    Ok(())
}

/// Puts one table between its marks.
pub(crate) fn put(page: &Path, name: &str, block: &str) -> Result<(), Box<dyn Error>> {
    let text = std::fs::read_to_string(page)?;
    let text =
        filled(&text, name, block).ok_or_else(|| format!("{} has no marks for {name}", page.display()))?;
    Ok(std::fs::write(page, text)?)
}

/// `block` between `<!-- name -->` and `<!-- end of name -->`.
fn filled(text: &str, name: &str, block: &str) -> Option<String> {
    let (before, rest) = text.split_once(&format!("<!-- {name} -->\n"))?;
    let end = format!("<!-- end of {name} -->");
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}<!-- {name} -->\n\n{}\n\n{end}{after}", block.trim()))
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let page = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n";
        assert_eq!(
            filled(page, "x", "new\n").as_deref(),
            Some("a\n<!-- x -->\n\nnew\n\n<!-- end of x -->\nb\n")
        );
        assert_eq!(filled(page, "y", "new"), None);
    }
}
