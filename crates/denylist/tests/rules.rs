//! The rules of the format's own test list, and what each has to deny and let pass.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere, also in what its tests share")]

use ipse_base::Cid;
use ipse_denylist::{Denylist, DenylistError, Reader};

fn list_of(text: &str) -> Denylist {
    let mut reader = Reader::default();
    reader.begin("test.deny");
    text.lines().try_for_each(|line| reader.line(line.as_bytes())).unwrap();
    assert_eq!(reader.end().unwrap(), []);
    reader.finish()
}

fn denies(list: &Denylist, path: &str) -> bool {
    list.find(&path.parse().unwrap()).is_some()
}

#[track_caller]
fn check(rules: &str, denied: &[&str], allowed: &[&str]) {
    let list = list_of(rules);
    for path in denied {
        assert!(denies(&list, path), "{path} is not denied");
    }
    for path in allowed {
        assert!(!denies(&list, path), "{path} is denied");
    }
}

#[test]
fn a_block_is_denied_under_all_of_its_names() {
    check(
        "/ipfs/bafybeihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq",
        &[
            "/ipfs/bafybeihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq",
            "/ipfs/bafkreihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq",
            "/ipfs/QmesfgDQ3q6prBy2Kg2gKbW4MAGuWiRP2DVuGA5MZSERLo",
        ],
        &[
            "/ipfs/QmesfgDQ3q6prBy2Kg2gKbW4MAGuWiRP2DVuGA5MZSERLo/below",
            "/ipfs/QmdWFA9FL52hx3j9EJZPQP1ZUH8Ygi5tLCX2cRDs6knSf8",
        ],
    );
}

#[test]
fn a_star_denies_what_begins_so() {
    let root = "/ipfs/QmdWFA9FL52hx3j9EJZPQP1ZUH8Ygi5tLCX2cRDs6knSf8";
    let below = |name: &str| format!("{root}/{name}");
    check(&below("*"), &[root, &below("a"), &below("a/b")], &[]);
    for rule in ["test*", "test/*"] {
        check(
            &below(rule),
            &[&below("test"), &below("test2"), &below("test/one")],
            &[root, &below("tes"), &below("other/test")],
        );
    }
    check(&below("one%20two/"), &[&below("one two"), &below("one two/")], &[&below("one%20two")]);
}

#[test]
fn the_last_rule_that_matches_decides() {
    let root = "/ipfs/QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK";
    let below = |name: &str| format!("{root}/{name}");
    let (deny, allow) = (below("blocked*"), below("blocked/exceptions*"));
    check(
        &format!("{deny}\n!{root}/blockednot\n!{allow}"),
        &[&below("blocked"), &below("blocked2"), &below("blocked/no")],
        &[&below("blockednot"), &below("blocked/exceptions2")],
    );
    check(&format!("!{allow}\n{deny}"), &[&below("blocked/exceptions2")], &[]);
}

#[test]
fn names_are_denied_as_domains_and_as_keys() {
    check(
        "/ipns/domain.example\n/ipns/domain2.example/path",
        &["/ipns/domain.example", "/ipns/Domain.Example", "/ipns/domain2.example/path"],
        &["/ipns/domain3.example", "/ipns/domain2.example", "/ipns/domain.example/path"],
    );
    check(
        "/ipns/k51qzi5uqu5dhmzyv3zac033i7rl9hkgczxyl81lwoukda2htteop7d3x0y1mf",
        &[
            "/ipns/k51qzi5uqu5dhmzyv3zac033i7rl9hkgczxyl81lwoukda2htteop7d3x0y1mf",
            "/ipns/bafzaajaiaejcaotjfs57kieazxny5japcmy5p2pgv2cic77tu6ogghttvurnrufx",
            "/ipns/12D3KooWDkNqEJNmreF3NYYFK1ws7Ra2fuW6cHBTu567SPV3LdYA",
        ],
        &["/ipns/12D3KooWHGU91cJWKofZoHQ3hkVgs2c6WAJGxVCjMivwej9ufyuN"],
    );
}

#[test]
fn anchors_of_the_older_lists_are_found() {
    let cid = "bafybeiefwqslmf6zyyrxodaxx4vwqircuxpza5ri45ws3y5a62ypxti42e";
    check(
        "//d9d295bde21f422d471a90f2a37ec53049fdf3e5fa3ee2e8f20e10003da429e7",
        &[&format!("/ipfs/{cid}")],
        &[&format!("/ipfs/{cid}/path"), "/ipfs/bafkreiefwqslmf6zyyrxodaxx4vwqircuxpza5ri45ws3y5a62ypxti42e"],
    );
    check(
        "//3f8b9febd851873b3774b937cce126910699ceac56e72e64b866f8e258d09572",
        &[&format!("/ipfs/{cid}/path")],
        &[&format!("/ipfs/{cid}"), &format!("/ipfs/{cid}/path2")],
    );
    check(
        "//6ef262a67f2c7caa9722b0fe46aced2f1559c749eab2bcf2f2701f43f802e900\n\
         //fb5a70b1aade810d21e8195a0da05f40ebd099e4b4d6bf088dc604e4fcf34263",
        &[
            "/ipns/k51qzi5uqu5dixwsch9wpd9rolqby1m0uqj5hhxwtxal0dwltastfmh01dlniq",
            "/ipns/bafzaajaiaejca3vrvdzmu4qntwa2pn6apsd4ug5k63ckdyhnd3g6vdvgvujdw62s",
            "/ipns/very-bad-example.eth",
        ],
        &["/ipns/good-example.eth"],
    );
}

#[test]
fn double_hashes_are_found() {
    check(
        "//QmX9dhRcQcKUw3Ws8485T5a9dtjrSCQaUAHnG4iK9i4ceM",
        &[
            "/ipfs/bafybeidjwik6im54nrpfg7osdvmx7zojl5oaxqel5cmsz46iuelwf5acja",
            "/ipfs/QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR",
            "/ipfs/bafkreidjwik6im54nrpfg7osdvmx7zojl5oaxqel5cmsz46iuelwf5acja",
        ],
        &["/ipfs/QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR/path"],
    );
    let blake3 = "/ipfs/bafyb4ieqht3b2rssdmc7sjv2cy2gfdilxkfh7623nvndziyqnawkmo266a";
    check(
        "//gW813G35CnLsy7gRYYHuf63hrz71U1xoLFDVeV7actx6oX",
        &[
            &format!("{blake3}/path"),
            "/ipfs/f01701e20903cf61d46521b05f926ba1634628d0bba8a7ffb5b6d5a3ca310682ca63b5ef0/path",
        ],
        &[blake3, &format!("{blake3}/path2")],
    );
    check(
        "//QmX6zeaAb8mC285YbXe4ac7LmX3jvrHBiFrw8kNnCM1bk4\n//QmcwfDuZYijxztHVR7w71WtdDaETsrGUU3ARWbNiYD3Hhp\n\
         //QmdGtYErkPjfpUPjVMUypoX8XTE9PUTBBF6KE9AwWaBs1e\n//QmQouNeftXbxGRt4U8s838diCuMPPHCfpHTR5w8bRREs9d",
        &[
            "/ipns/my.domain.com",
            "/ipns/my.domain2.com/path",
            "/ipns/k51qzi5uqu5dixwsch9wpd9rolqby1m0uqj5hhxwtxal0dwltastfmh01dabcd",
            "/ipns/12D3KooWHGU91cJWKofZoHQ3hkVgs2c6WAJGxVCjMivwej9udmWo/mypath",
        ],
        &["/ipns/my.domain2.com", "/ipns/my.domain.com/path"],
    );
}

#[test]
fn what_is_empty_is_never_denied() {
    let empty = [
        "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
        "bafyaabakaieac",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "bafkqaaa",
        "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
        "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua",
        "baguqeeraiqjw7i2vwntyuekgvulpp2det2kpwt6cd7tx5ayqybqpmhfk76fa",
    ];
    let list = list_of(&empty.map(|cid| format!("/ipfs/{cid}")).join("\n"));
    for cid in empty {
        assert!(!denies(&list, &format!("/ipfs/{cid}")), "{cid} is denied");
        assert!(list.find_block(&cid.parse::<Cid>().unwrap()).is_none());
    }
}

#[test]
fn a_rule_is_told_by_list_and_line() {
    let cid = "QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR";
    let mut reader = Reader::default();
    for (name, text) in [
        (
            "a.deny",
            "version: 1\nname: first\nhints:\n  reason: none\n---\n# a comment\n\n/ipns/a.example why:so\n",
        ),
        ("b.deny", "/ipns/b.example\n"),
        ("c.deny", &format!("---\n!/ipns/a.example/x\n/ipfs/{cid}\n")),
    ] {
        reader.begin(name);
        text.lines().try_for_each(|line| reader.line(line.as_bytes())).unwrap();
        reader.end().unwrap();
    }
    let list = reader.finish();
    let place = |path: &str| list.find(&path.parse().unwrap()).map(|place| place.to_string());
    assert_eq!(place("/ipns/a.example").as_deref(), Some("a.deny:8"));
    assert_eq!(place("/ipns/b.example").as_deref(), Some("b.deny:1"));
    assert_eq!(place(&format!("/ipfs/{cid}")).as_deref(), Some("c.deny:3"));
    assert_eq!(place("/ipns/a.example/x"), None);
    assert_eq!(list.find_block(&cid.parse().unwrap()).map(|place| place.line), Some(3));
    assert_eq!(list.len(), 4);
}

#[test]
fn a_line_that_is_no_rule_is_told_and_the_rest_counts() {
    let mut reader = Reader::default();
    reader.begin("odd.deny");
    let lines = ["/ipfs/nonsense", "//xyz", "nothing", "/ipfs/", "/ipns/good.example", "//", "/ipfs/%ff"];
    for line in lines {
        reader.line(line.as_bytes()).unwrap();
    }
    reader.line(b"\xff").unwrap();
    let refused = reader.end().unwrap();
    assert_eq!(refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3, 4, 6, 7, 8]);
    let list = reader.finish();
    assert_eq!(list.len(), 1);
    assert!(denies(&list, "/ipns/good.example"));
}

#[test]
fn a_header_that_is_none_or_of_another_version_refuses_the_list() {
    let read = |text: &str| {
        let mut reader = Reader::default();
        reader.begin("x.deny");
        text.lines().try_for_each(|line| reader.line(line.as_bytes()))
    };
    assert_eq!(read("version: 2\n---\n"), Err(DenylistError::Version("2".into())));
    assert_eq!(read("not a header\n---\n"), Err(DenylistError::Header("not a header".into())));
    assert_eq!(read("version: '1' # for now\nauthor: x\nmore:\n- one\n- two\n---\n"), Ok(()));
    let many = "/ipfs/nonsense\n".repeat(2000) + "/ipns/a.example\n---\n";
    assert!(matches!(read(&many), Err(DenylistError::Header(_))), "a header is looked for in its first MiB");
}

#[test]
fn no_text_panics_and_every_rule_has_its_line() {
    bolero::check!().with_type::<(Vec<u8>, Vec<Vec<u8>>, u8)>().for_each(|(text, more, shape)| {
        let mut reader = Reader::default();
        for (at, list) in std::iter::once(text).chain(more).enumerate() {
            reader.begin(&format!("{at}.deny"));
            for line in list.split(|&byte| byte == b'\n') {
                let prefix: &[u8] = match shape % 4 {
                    0 => b"/ipns/",
                    1 => b"!/ipns/a/",
                    2 => b"//",
                    _ => b"",
                };
                if reader.line(&[prefix, line].concat()).is_err() {
                    break;
                }
            }
            let _ = reader.end();
        }
        let list = reader.finish();
        if let Ok(path) = "/ipns/a".parse()
            && let Some(place) = list.find(&path)
        {
            assert!(place.line >= 1 && !place.list.is_empty());
        }
    });
}
