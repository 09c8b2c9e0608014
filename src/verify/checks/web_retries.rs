//! `web.retries`: what a replica may have begun is not given to another one.
//!
//! No request from outside can make a replica fail in the middle, so this is read in the edge's
//! configuration. It is what lies in its files; the edge tests them before it takes them.

use crate::verify::{Check, Context, Outcome, Suite, nginx};

pub(super) const CHECK: Check = Check {
    id: "web.retries",
    suite: Suite::Web,
    requirements: &["PD-1.2"],
    expected: "a request that a replica fails is given to another one where it is idempotent, and only there",
    strains: false,
    run: |context| Box::pin(check(context)),
};

/// What nginx does where nothing is said.
const DEFAULT: [&str; 2] = ["error", "timeout"];

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let root = nginx::configuration(context).await?;
    let mut places = Vec::new();
    proxies(root, &Rule::default(), &mut places);
    if places.is_empty() {
        return Err(Outcome::fail("nothing in the configuration is proxied"));
    }
    let faults: Vec<String> = places
        .iter()
        .filter_map(|(place, rule)| Some(format!("{place}: {}", rule.fault()?)))
        .collect();
    Ok(Outcome::judge(
        &faults,
        format!("at {} places that proxy", places.len()),
    ))
}

/// To whom a failed request is given next.
#[derive(Debug, Clone)]
struct Rule {
    next: Vec<String>,
    tries: String,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            next: DEFAULT.map(str::to_owned).into(),
            // As many as there are.
            tries: "0".to_owned(),
        }
    }
}

impl Rule {
    fn fault(&self) -> Option<String> {
        let says = |word: &str| self.next.iter().any(|said| said == word);
        if says("non_idempotent") {
            return Some("also what is not idempotent is sent again (non_idempotent)".into());
        }
        if says("off") || self.tries == "1" {
            return Some("nothing is sent again".into());
        }
        (!says("error")).then(|| "a replica that is gone is not passed over (error)".into())
    }
}

/// The rule at each place that proxies: its own, or that of the nearest block around it.
fn proxies(block: &nginx::Block, outer: &Rule, places: &mut Vec<(String, Rule)>) {
    let mut rule = outer.clone();
    if let Some(next) = block.last("proxy_next_upstream") {
        rule.next = next.to_vec();
    }
    if let Some([tries]) = block.last("proxy_next_upstream_tries") {
        rule.tries.clone_from(tries);
    }
    if block.last("proxy_pass").is_some() {
        places.push((block.name.clone(), rule.clone()));
    }
    for inner in &block.blocks {
        proxies(inner, &rule, places);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let root = nginx::read(&format!("# configuration file /nginx.conf:\n{text}")).unwrap();
        let mut places = Vec::new();
        proxies(&root, &Rule::default(), &mut places);
        let fault = |(place, rule): &(String, Rule)| Some(format!("{place}: {}", rule.fault()?));
        places.iter().filter_map(fault).collect()
    }

    #[test]
    fn a_place_has_the_rule_of_the_nearest_block_that_has_one() {
        let nested = "http { proxy_next_upstream error non_idempotent; server {
            location /a { proxy_pass http://x; }
            location /b { proxy_next_upstream error timeout http_503; proxy_pass http://x; }
            location /c { return 200; } } }";
        assert_eq!(
            faults(nested),
            ["location /a: also what is not idempotent is sent again (non_idempotent)"]
        );
        assert!(faults("http { server { location / { proxy_pass http://x; } } }").is_empty());
    }

    #[test]
    fn sending_nothing_again_is_a_fault_as_well() {
        for rule in [
            "proxy_next_upstream off;",
            "proxy_next_upstream_tries 1;",
            "proxy_next_upstream http_503;",
        ] {
            let text = format!("http {{ location / {{ {rule} proxy_pass http://x; }} }}");
            assert_eq!(faults(&text).len(), 1, "{rule}");
        }
    }
}
