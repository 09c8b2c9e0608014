//! `web.cache-headers`: what never changes is kept for good, what changes is asked for each time.

use crate::verify::{
    Check, Context, Outcome, Suite,
    pages::{fetch, pages},
};

pub(super) const CHECK: Check = Check {
    id: "web.cache-headers",
    suite: Suite::Web,
    requirements: &["PD-7.2"],
    expected: "assets with a hash in their names are immutable for a year; the page, the health of the API and what is not there are not kept",
    strains: false,
    run: |context| Box::pin(check(context)),
};

const A_YEAR: u64 = 31_536_000;

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let pages = pages(context).await?;
    let mut faults = Vec::new();
    let forever = pages.assets.iter().map(|path| (path, true));
    let never = [&pages.index]
        .into_iter()
        .chain(&pages.health)
        .chain(pages.absent())
        .map(|path| (path, false));
    for (path, for_good) in forever.chain(never) {
        let answer = fetch(context, path, None).await?;
        let said = answer.header("cache-control").unwrap_or("nothing");
        let right = if for_good {
            is_for_good(said)
        } else {
            is_never(said)
        };
        if !right {
            faults.push(format!("GET {path}: Cache-Control says {said}"));
        }
    }
    Ok(Outcome::judge(
        &faults,
        format!(
            "{} assets for good, {} paths never",
            pages.assets.len(),
            1 + pages.health.iter().count() + pages.absent().count()
        ),
    ))
}

fn directives(said: &str) -> impl Iterator<Item = &str> {
    said.split(',').map(str::trim)
}

fn is_for_good(said: &str) -> bool {
    let age = directives(said)
        .find_map(|directive| directive.strip_prefix("max-age="))
        .and_then(|age| age.parse::<u64>().ok());
    age.is_some_and(|age| age >= A_YEAR)
        && directives(said).any(|directive| directive == "immutable")
}

fn is_never(said: &str) -> bool {
    directives(said).any(|directive| matches!(directive, "no-store" | "no-cache"))
}

#[cfg(test)]
mod tests {
    use super::{is_for_good, is_never};

    #[test]
    fn for_good_is_a_year_at_least_and_never_is_said() {
        assert!(is_for_good("public, max-age=31536000, immutable"));
        assert!(!is_for_good("public, max-age=31536000"));
        assert!(!is_for_good("public, max-age=3600, immutable"));
        assert!(!is_for_good("nothing"));
        assert!(is_never("no-store") && is_never("private, no-cache"));
        assert!(!is_never("max-age=0") && !is_never("nothing"));
    }
}
