//! What people are told to open.

use reqwest::Url;

use crate::docker::Location;

/// The site's address: what the stack says, or where its port is published.
///
/// The two differ where the application knows itself by a name, and gives sessions to nobody who came
/// by a number. A name that means "this machine" says nothing about an engine on another one.
pub(super) fn for_people(
    said: Option<&str>,
    published: Option<&str>,
    location: Location,
) -> Option<String> {
    let fallback = || published.map(|address| format!("http://{address}"));
    let Some(mut url) = said.and_then(|said| Url::parse(said).ok()) else {
        return fallback();
    };
    if location == Location::Remote && is_here(&url) {
        return fallback();
    }
    if url.port() == Some(0) {
        let port = published?.rsplit(':').next()?.parse().ok()?;
        url.set_port(Some(port)).ok()?;
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<&str> = Some("127.0.0.1:32768");

    #[test]
    fn the_word_of_the_stack_goes_before_the_port() {
        let told = |said, published| for_people(said, published, Location::Local);
        assert_eq!(told(None, HERE).as_deref(), Some("http://127.0.0.1:32768"));
        assert_eq!(told(None, None), None);
        let public = Some("https://www.example.org/");
        assert_eq!(
            told(public, HERE).as_deref(),
            Some("https://www.example.org")
        );
        // A proxy of one's own is in front.
        assert_eq!(told(public, None), told(public, HERE));
    }

    #[test]
    fn a_port_that_the_engine_picks_is_filled_in() {
        let told = |published| for_people(Some("http://localhost:0"), published, Location::Local);
        assert_eq!(told(HERE).as_deref(), Some("http://localhost:32768"));
        assert_eq!(
            told(Some("[::1]:32769")).as_deref(),
            Some("http://localhost:32769")
        );
        assert_eq!(told(None), None);
    }

    #[test]
    fn this_machine_is_not_where_another_one_publishes() {
        let there = Some("10.0.0.7:8080");
        for said in [
            "http://localhost:8080",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
        ] {
            let told = for_people(Some(said), there, Location::Remote);
            assert_eq!(told.as_deref(), Some("http://10.0.0.7:8080"), "{said}");
        }
        let public = for_people(Some("https://a.example"), there, Location::Remote);
        assert_eq!(public.as_deref(), Some("https://a.example"));
    }
}
