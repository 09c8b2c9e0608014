//! `web.brotli`: where the web server can send brotli, scripts and styles come so to whoever takes it.
//!
//! Not every nginx has the module; one that loads it is meant to use it. `Vary` is the matter of `web.gzip`.

use crate::{
    probe::Response,
    verify::{
        Check, Context, Outcome, Suite,
        nginx::{self, Block},
        pages::{compare_with, pages},
    },
};

pub(super) const CHECK: Check = Check {
    id: "web.brotli",
    suite: Suite::Web,
    requirements: &["PD-7.3"],
    expected: "where nginx has the module for it, the page's scripts and styles come with brotli where it is taken, and shorter than plain",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let pages = pages(context).await?;
    if !has_module(nginx::configuration(context).await?) {
        return Err(Outcome::skip(
            "the edge's nginx loads no module that sends brotli files",
        ));
    }
    compare_with(context, "br", pages.assets.iter(), fault).await
}

fn has_module(configuration: &Block) -> bool {
    configuration
        .each("load_module")
        .flatten()
        .any(|file| file.contains("brotli_static"))
}

/// What is wrong with the two forms of one answer.
fn fault(plain: &Response, packed: &Response) -> Option<String> {
    let (plain_bytes, packed_bytes) = (plain.body.len(), packed.body.len());
    match packed.header("content-encoding") {
        Some("br") if packed_bytes < plain_bytes => None,
        Some("br") => Some(format!(
            "{plain_bytes} bytes are {packed_bytes} with brotli, which is no less"
        )),
        Some(other) => Some(format!("who takes only brotli is sent {other}")),
        None => Some(format!("{packed_bytes} bytes come as they are")),
    }
}

#[cfg(test)]
mod tests {
    use super::{fault, has_module};
    use crate::{probe::Response, verify::nginx};

    fn answer(encoding: Option<&str>, body: &[u8]) -> Response {
        let header = |value: &str| ("content-encoding".to_owned(), value.to_owned());
        Response {
            status: 200,
            headers: encoding.map(header).into_iter().collect(),
            body: body.to_vec(),
        }
    }

    #[test]
    fn brotli_is_there_and_worth_it() {
        let plain = answer(None, b"long long long");
        assert_eq!(fault(&plain, &answer(Some("br"), b"short")), None);
        for packed in [
            answer(None, b"long long long"),
            answer(Some("gzip"), b"short"),
            answer(Some("br"), b"long long long"),
        ] {
            assert!(fault(&plain, &packed).is_some(), "{packed:?}");
        }
    }

    #[test]
    fn it_is_asked_for_only_where_the_module_is_loaded() {
        let loads = |modules: &str| {
            let printed = format!(
                "# configuration file /etc/nginx/nginx.conf:\ninclude /etc/nginx/modules-enabled/*.conf;\nhttp {{ gzip on; }}\n\
                 # configuration file /etc/nginx/modules-enabled/50-a.conf:\n{modules}\n"
            );
            has_module(&nginx::read(&printed).expect("a configuration"))
        };
        assert!(loads(
            "load_module modules/ngx_http_zstd_static_module.so;\nload_module modules/ngx_http_brotli_static_module.so;"
        ));
        assert!(!loads(
            "load_module modules/ngx_http_brotli_filter_module.so;"
        ));
        assert!(!loads(""));
    }
}
