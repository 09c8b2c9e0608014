//! `web.favicon`: the favicon is there, and is the picture it claims to be.

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "web.favicon",
    suite: Suite::Web,
    requirements: &["BUG-01"],
    expected: "the favicon answers 200 as image/png with the configured size in pixels",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    let favicon = context
        .stack
        .verify
        .web
        .as_ref()
        .and_then(|web| web.favicon.as_ref());
    let Some(favicon) = favicon else {
        return Outcome::skip("the stack has no favicon in [verify.web]");
    };
    let answer = match context.edge_get(&favicon.path).await {
        Err(cause) => return Outcome::fail(format!("GET {}: {cause}", favicon.path)),
        Ok(answer) => answer,
    };
    let mut faults = Vec::new();
    let content_type = answer.header("content-type").unwrap_or("no content type");
    if answer.status != 200 {
        faults.push(format!("it answers {}", answer.status));
    }
    if content_type != "image/png" {
        faults.push(format!("it comes as {content_type}"));
    }
    match png_size(&answer.body) {
        None => faults.push("it is no PNG".into()),
        Some(size) if size == (favicon.width, favicon.height) => {}
        Some((width, height)) => faults.push(format!("it has {width}×{height} pixels")),
    }
    Outcome::judge(
        &faults,
        format!("200 image/png, {}×{}", favicon.width, favicon.height),
    )
}

/// Width and height stand at fixed places of a PNG's first chunk (RFC 2083, 4.1.1).
fn png_size(body: &[u8]) -> Option<(u32, u32)> {
    let rest = body.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    if rest.get(4..8)? != b"IHDR" {
        return None;
    }
    let number = |at: usize| Some(u32::from_be_bytes(rest.get(at..at + 4)?.try_into().ok()?));
    Some((number(8)?, number(12)?))
}

#[cfg(test)]
mod tests {
    use super::png_size;

    #[test]
    fn a_png_tells_its_size_and_html_is_no_png() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\xc0\0\0\0\xc0\x08\x06";
        assert_eq!(png_size(png), Some((192, 192)));
        assert_eq!(png_size(b"<!doctype html><title>SysNDD</title>"), None);
        assert_eq!(png_size(b"\x89PNG\r\n\x1a\n"), None);
    }
}
