use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::*;
use crate::config::stack::{Owner, Port, Protocol};

#[test]
fn durations() {
    let table = [
        ("0s", 0),
        ("500ms", 500),
        ("30s", 30_000),
        ("1m30s", 90_000),
        ("2h", 7_200_000),
        ("1h1m1s1ms", 3_661_001),
    ];
    for (text, millis) in table {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for text in [
        "",
        "30",
        "s",
        "1.5s",
        "-1s",
        "1 s",
        "1d",
        "99999999999999999999s",
        "9999999999999999h",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
    for millis in [0, 1, 999, 1000, 90_000, 90_001] {
        let time = Duration::from_millis(millis);
        assert_eq!(duration(&show_duration(time)), Ok(time));
    }
}

#[test]
fn sizes() {
    let table = [
        ("1", 1),
        ("1b", 1),
        ("1k", 1024),
        ("1KB", 1024),
        ("256m", 268_435_456),
        ("2G", 2_147_483_648),
    ];
    for (text, bytes) in table {
        assert_eq!(size(text), Ok(bytes), "{text}");
        assert_eq!(size(&show_size(bytes)), Ok(bytes), "{text}");
    }
    for text in ["", "0", "m", "1.5g", "1t", "-1m", "99999999999g"] {
        assert!(size(text).is_err(), "{text}");
    }
    assert_eq!(show_size(268_435_456), "256m");
    assert_eq!(show_size(1500), "1500b");
}

#[test]
fn ports() {
    let table: [(&str, Option<&str>, u16, u16, Protocol); 7] = [
        ("80", None, 0, 80, Protocol::Tcp),
        ("8080:80", None, 8080, 80, Protocol::Tcp),
        ("0:80", None, 0, 80, Protocol::Tcp),
        ("53:53/udp", None, 53, 53, Protocol::Udp),
        (
            "127.0.0.1:8080:80",
            Some("127.0.0.1"),
            8080,
            80,
            Protocol::Tcp,
        ),
        ("127.0.0.1::80", Some("127.0.0.1"), 0, 80, Protocol::Tcp),
        ("[::1]:8080:80", Some("::1"), 8080, 80, Protocol::Tcp),
    ];
    for (text, ip, host, container, protocol) in table {
        let expected = Port {
            host_ip: ip.map(str::to_owned),
            host,
            container,
            protocol,
        };
        assert_eq!(port(text).as_ref(), Ok(&expected), "{text}");
        assert_eq!(
            port(&show_port(&expected)).as_ref(),
            Ok(&expected),
            "{text}"
        );
    }
    for text in [
        "",
        "x",
        "0",
        "80:0",
        "80:",
        ":80",
        "65536:80",
        "1:2:3",
        "1.2.3:80:80",
        "80-90:80",
        "80/x",
    ] {
        assert!(port(text).is_err(), "{text}");
    }
}

#[test]
fn paths_of_bind_mounts_are_absolute() {
    let table = [
        ("./files", "/stack/files"),
        (".", "/stack"),
        ("../files", "/files"),
        ("../../../files", "/files"),
        ("/srv/./a/../b", "/srv/b"),
        ("~/a", "/home/me/a"),
        ("~", "/home/me"),
    ];
    for (text, expected) in table {
        let found = bind_path(
            Path::new(text),
            Path::new("/stack"),
            Some(Path::new("/home/me")),
        );
        assert_eq!(found, Ok(PathBuf::from(expected)), "{text}");
    }
    assert_eq!(
        clean(Path::new("../a/./b/../../..")),
        PathBuf::from("../..")
    );
}

#[test]
fn users_by_number_are_told_from_names() {
    assert_eq!(numeric_user("5"), Some(Owner { uid: 5, gid: 0 }));
    assert_eq!(numeric_user("5:6"), Some(Owner { uid: 5, gid: 6 }));
    assert_eq!(numeric_user("www"), None);
    assert_eq!(numeric_user("5:www"), None);
}

#[test]
fn addresses_of_sites() {
    for (text, read) in [
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://www.example.org/", "https://www.example.org"),
        ("http://[::1]:0", "http://[::1]:0"),
    ] {
        assert_eq!(site_url(text).as_deref(), Ok(read), "{text}");
    }
    for text in [
        "",
        "localhost:8080",
        "www.example.org",
        "ftp://www.example.org",
        "https://www.example.org/app",
        "https://www.example.org/?a",
        "https://marie@www.example.org",
        "http://",
    ] {
        assert!(site_url(text).is_err(), "{text}");
    }
}
