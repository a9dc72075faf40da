use super::*;
use crate::{DecodeError, Ipld};

fn dag(text: &str) -> Ipld {
    decode(text.as_bytes(), Dialect::Dag).unwrap()
}

fn printed(text: &str) -> String {
    String::from_utf8(encode(&dag(text), Dialect::Dag).unwrap()).unwrap()
}

fn fault(text: &str) -> JsonFault {
    match decode(text.as_bytes(), Dialect::Dag).unwrap_err() {
        DecodeError::Json(error) => error.fault,
        other => panic!("{other}"),
    }
}

#[test]
fn prints_as_the_reference_codec() {
    for (given, expected) in [
        (" { \"b\" : 1 , \"a\" : [ ] , \"aa\" : { } } ", r#"{"a":[],"aa":{},"b":1}"#),
        (
            "[1.0,-0,-0.0,1e20,1e21,1e-6,1e-7,123456789.5]",
            "[1,0,-0,100000000000000000000,1e+21,0.000001,1e-7,123456789.5]",
        ),
        ("[18446744073709551615,-18446744073709551616]", "[18446744073709551615,-18446744073709551616]"),
        (
            r#""\u0000\u001f\u007f\u2028<\/>\ud83d\ude00\b""#,
            "\"\\u0000\\u001f\u{7f}\\u2028</>\u{1f600}\\u0008\"",
        ),
        (r#"{"/":{"bytes":"AAECAw=="}}"#, r#"{"/":{"bytes":"AAECAw"}}"#),
        (r#"{"/":{"bytes":""}}"#, r#"{"/":{"bytes":""}}"#),
        (r#"{"/":{"bytes":1}}"#, r#"{"/":{"bytes":1}}"#),
        (r#"{"/":1,"x":2}"#, r#"{"/":1,"x":2}"#),
        (r#"["[",{"{":"x"},"]"]"#, r#"["[",{"{":"x"},"]"]"#),
    ] {
        assert_eq!(printed(given), expected);
    }
}

#[test]
fn of_two_nearest_floats_the_even_one_is_printed() {
    for (bits, expected) in [
        (0x430a_b875_b88a_901a, "940145642656259.2"),
        (0x430a_b875_b88a_901b, "940145642656259.4"),
        (0xc305_6fcd_8882_270a, "-754237882516705.2"),
        (0xc2b1_2583_727d_0690, "-18852816780550.562"),
        (0x3ff0_0008_0000_0000, "1.0000076293945312"),
        // The lower form would be that of the float below.
        (0x3e70_0000_0000_0000, "5.960464477539063e-8"),
    ] {
        let node = Ipld::Float(f64::from_bits(bits));
        assert_eq!(String::from_utf8(encode(&node, Dialect::Dag).unwrap()).unwrap(), expected);
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for text in
        ["", "[", "{", "\"", "\"\\", "\"\\u12", "-", "1.", "1e", "1e+", "tru", "{\"a\"", "{\"a\":", "[1,"]
    {
        assert_eq!(fault(text), JsonFault::Short, "{text}");
    }
    for text in [
        "]",
        "}",
        "[1,]",
        "{,}",
        "{\"a\":1,}",
        "{1:2}",
        "[1 2]",
        "[1}",
        "{\"a\":1]",
        "+1",
        ".5",
        "\"\n\"",
        "\"\\x\"",
        "-x",
    ] {
        assert!(matches!(fault(text), JsonFault::Unexpected(_)), "{text}");
    }
    for text in ["1 1", "01", "nullnull", "{}{}", "[]]", "1,"] {
        assert_eq!(fault(text), JsonFault::Trailing, "{text}");
    }
    for text in [r#""\ud800\u0020""#, r#""\udc00""#] {
        assert_eq!(fault(text), JsonFault::Text, "{text}");
    }
    for text in ["18446744073709551616", "-18446744073709551617", "1e999"] {
        assert_eq!(fault(text), JsonFault::Number, "{text}");
    }
    assert!(matches!(fault(r#"{"/":"nope"}"#), JsonFault::Link(_)));
    assert!(matches!(fault(r#"{"/":{"bytes":"?"}}"#), JsonFault::Bytes(_)));
    assert!(
        matches!(decode(b"\"\xff\"", Dialect::Dag), Err(DecodeError::Json(e)) if e.fault == JsonFault::Text)
    );
}

#[test]
fn plain_json_has_neither_links_nor_bytes() {
    let text = br#"{"/":"nope"}"#;
    assert_eq!(decode(text, Dialect::Plain), Ok(Ipld::Map([("/".into(), Ipld::Text("nope".into()))].into())));
    assert_eq!(encode(&Ipld::Bytes(Box::default()), Dialect::Plain), Err(crate::FormError::NotPlainJson));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    assert_eq!(printed(&nested(1024)), nested(1024));
    assert_eq!(fault(&nested(1025)), JsonFault::TooDeep);
    assert_eq!(fault(&"[".repeat(2 << 20)), JsonFault::TooDeep);
}

#[test]
fn fuzz_dag_json() {
    // Random bytes seldom are JSON, so the alphabet is made of what JSON is made of.
    const PIECES: &[&str] = &[
        "{", "}", "[", "]", ",", ":", "\"", "/", "\"/\"", "bytes", "\\u00", "1", "-", "0.5", "e9", "null",
        "\u{e9}", " ",
    ];
    bolero::check!().with_type::<Vec<u8>>().for_each(|choice| {
        let _ = decode(choice, Dialect::Dag);
        let text: String = choice.iter().map(|&byte| PIECES[usize::from(byte) % PIECES.len()]).collect();
        if let Ok(node) = decode(text.as_bytes(), Dialect::Dag) {
            let printed = encode(&node, Dialect::Dag).unwrap();
            let again = decode(&printed, Dialect::Dag).unwrap();
            assert_eq!(encode(&again, Dialect::Dag).unwrap(), printed);
        }
    });
}
