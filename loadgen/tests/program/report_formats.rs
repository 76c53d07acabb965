//! The reports that programs read, parsed back; and the published schema, held against records that were really written.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{authbench, run, text};

const SCHEMA: &str = include_str!("../../../docs/run-record.schema.json");

/// Marks of XML, HTML, Markdown and the terminal, in a title that reaches every report.
const HOSTILE: &str = "<b>&\\\"|`*[x](y) @all\\u001b[2J]]>";

/// A record in `folder/out` of a run with two failing cases of one's own, one of medium and one of low severity.
fn nonconformant(folder: &Path) {
    let case = |what: &str, severity: &str| {
        format!(
            "[[case]]\nid = \"own::{what}\"\ntitle = \"{HOSTILE}\"\nclause = \"our rule\"\nlevel = \"MUST\"\n\
             severity = \"{severity}\"\nexpect = \"unauthorized\"\nimpact = \"i\"\nfix = \"f\"\ncause = \"own-rule\"\n"
        )
    };
    let own = format!(
        "group = \"own\"\ntitle = \"Own | <i>\"\n{}{}",
        case("first", "medium"),
        case("second", "low")
    );
    std::fs::write(folder.join("own.toml"), own).expect("written");
    let arguments = "conform --target in-process --cases own.toml --filter own:: --filter ::aud- --fail-on medium --out out";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let output = authbench(folder)
        .args(arguments)
        .env("GITHUB_STEP_SUMMARY", folder.join("summary.md"))
        .output()
        .expect("authbench starts");
    assert_eq!(output.status.code(), Some(10), "{}", text(&output.stderr));
}

/// The record of a run with a phase of load, and one that is skipped; in `folder/load`.
fn timed(folder: &Path) -> Value {
    let scenario = "name = \"s\"\nissuer = \"auth0\"\ntarget = \"in-process\"\naudience = \"https://planets.example.com/\"\n\
                    scope = \"read:planets\"\n[[phase]]\nkind = \"verification\"\nusers = 2\nrequests = 50\n\
                    thresholds = { p50 = \"1us\" }\n[[phase]]\nkind = \"cache-hit\"\nusers = 1\nrequests = 5\n";
    std::fs::write(folder.join("s.toml"), scenario).expect("written");
    run(folder, &["run", "s.toml", "--out", "load"]);
    let record = std::fs::read_to_string(folder.join("load/run.json")).expect("written");
    serde_json::from_str(&record).expect("JSON")
}

/// The record of cold starts; in `folder/starts`.
fn started(folder: &Path) -> Value {
    let scenario = "name = \"s\"\nissuer = \"auth0\"\ntarget = \"authbench\"\naudience = \"https://planets.example.com/\"\n\
                    scope = \"read:planets\"\n[[phase]]\nkind = \"cold-start\"\nsamples = 1\ncold_disk = 1\nbudget = \"60s\"\n";
    std::fs::write(folder.join("starts.toml"), scenario).expect("written");
    run(folder, &["run", "starts.toml", "--out", "starts"]);
    let record = std::fs::read_to_string(folder.join("starts/run.json")).expect("written");
    serde_json::from_str(&record).expect("JSON")
}

fn report(folder: &Path, format: &str) -> String {
    let output = run(folder, &["report", "out", "--format", format]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn junit_is_xml_whose_counts_are_those_of_its_elements() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    nonconformant(folder.path());
    let xml = report(folder.path(), "junit");
    let document =
        roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    for suite in root
        .children()
        .filter(roxmltree::Node::is_element)
        .chain([root])
    {
        for (attribute, element) in [
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ] {
            let count = suite
                .descendants()
                .filter(|node| node.has_tag_name(element))
                .count();
            assert_eq!(
                suite.attribute(attribute),
                Some(count.to_string().as_str()),
                "{attribute}"
            );
        }
    }
    let of = |name: &str| {
        document
            .descendants()
            .find(|node| node.attribute("name") == Some(name))
            .unwrap_or_else(|| panic!("{name} is not there"))
    };
    let failure = of("own::first").first_element_child().expect("it fails");
    assert_eq!(failure.attribute("type"), Some("unexpected-allow"));
    assert!(
        failure
            .text()
            .expect("details")
            .starts_with("<b>&\"|`*[x](y) @all\\u{1b}[2J]]>")
    );
    assert!(
        of("own::second")
            .children()
            .all(|node| !node.has_tag_name("failure")),
        "below --fail-on"
    );
    assert!(
        of("rfc7519::aud-wrong").first_element_child().is_none(),
        "it passes"
    );
    assert!(
        of("verdict")
            .children()
            .any(|node| node.has_tag_name("failure"))
    );
}

#[test]
fn sarif_has_a_rule_for_each_result() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    nonconformant(folder.path());
    let sarif: Value = serde_json::from_str(&report(folder.path(), "sarif")).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 2);
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("an index");
        let rule = &rules[usize::try_from(index).expect("small")];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(
            rule["help"]["text"]
                .as_str()
                .expect("help")
                .contains("Cause: ")
        );
        assert!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].is_string());
    }
    assert_eq!(results[0]["level"], "warning");
    assert_eq!(rules[0]["properties"]["security-severity"], "5.5");
    assert!(
        rules[0]["properties"]["tags"]
            .as_array()
            .expect("tags")
            .contains(&json!("external/cwe/cwe-863"))
    );
    assert_eq!(run["invocations"][0]["exitCode"], 10);
}

#[test]
fn markdown_is_the_jobs_summary_and_its_tables_keep_their_columns() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    nonconformant(folder.path());
    let markdown = report(folder.path(), "markdown");
    let summary =
        std::fs::read_to_string(folder.path().join("summary.md")).expect("written by the run");
    assert_eq!(summary, markdown);
    let mut columns = None;
    for line in markdown.lines() {
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        let bars = line.replace("\\|", "").matches('|').count();
        assert_eq!(*columns.get_or_insert(bars), bars, "{line}");
    }
    assert!(
        markdown.contains("**A rule of this deployment is not kept**"),
        "{markdown}"
    );
    for raw in ["<b>", "@all", "[x](y)", "\u{1b}"] {
        assert!(
            !markdown.contains(raw),
            "{raw:?} is not escaped in: {markdown}"
        );
    }
    assert!(!report(folder.path(), "html").contains("<b>&"));
}

#[test]
fn a_document_of_a_format_holds_one_record() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    nonconformant(folder.path());
    for format in [
        "csv",
        "hlog",
        "html",
        "json",
        "junit",
        "prometheus",
        "sarif",
    ] {
        let output = run(folder.path(), &["report", "out", "out", "--format", format]);
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert!(text(&output.stderr).contains(&format!("--format {format}")));
    }
}

#[test]
fn a_record_is_of_the_published_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let folder = tempfile::tempdir().expect("a temporary folder");
    nonconformant(folder.path());
    let conform: Value = serde_json::from_str(&report(folder.path(), "json")).expect("JSON");
    let load = timed(folder.path());
    assert!(
        load["phases"][0]["series"][0]["count"].as_u64() > Some(0),
        "{load:#}"
    );
    assert!(load["phases"][0]["timeline"][0]["latency"].is_string());
    assert_eq!(load["skipped"].as_array().map(Vec::len), Some(1));
    let starts = started(folder.path());
    assert!(starts["phases"][0]["storage"].is_object(), "{starts:#}");
    for record in [&conform, &load, &starts] {
        let faults = faults(record, &schema, &schema, "");
        assert!(faults.is_empty(), "{faults:#?}");
    }

    // The validator sees what it has to see.
    for (pointer, wrong) in [
        ("/verdict/exit_code", json!("10")),
        ("/conformance/cases/0/severity", json!("severe")),
        ("/conformance/cases/0/surplus", json!(1)),
        ("/schema_version", json!(1)),
    ] {
        let mut spoilt = conform.clone();
        let (parent, member) = pointer.rsplit_once('/').expect("a slash");
        let parent = spoilt.pointer_mut(parent).expect("it is there");
        parent[member] = wrong;
        assert_eq!(faults(&spoilt, &schema, &schema, "").len(), 1, "{pointer}");
    }
    let mut short = conform.clone();
    short["conformance"]["cases"][0]
        .as_object_mut()
        .expect("an object")
        .remove("cause");
    assert!(!faults(&short, &schema, &schema, "").is_empty());
}

#[test]
fn the_formats_for_figures_tell_the_same_of_one_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut record = timed(folder.path());
    let of = |path: &str, format: &str| {
        let output = run(folder.path(), &["report", path, "--format", format]);
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let series = &record["phases"][0]["series"][0];
    let (code, csv, _) = of("load", "csv");
    assert_eq!(code, Some(0));
    let row = csv.lines().nth(1).expect("a row");
    let wanted = format!(
        ",verification,service time,all,{},{},",
        series["count"], series["min_ns"]
    );
    assert!(row.contains(&wanted), "{row}");
    let (code, metrics, _) = of("load", "prometheus");
    assert_eq!(code, Some(0));
    let wanted = format!(
        "authbench_latency_seconds_count{{phase=\"verification\",series=\"service time\",class=\"all\"}} {}\n",
        series["count"]
    );
    assert!(metrics.contains(&wanted), "{metrics}");
    let (code, log, _) = of("load", "hlog");
    assert_eq!(code, Some(0));
    let interval = log
        .lines()
        .find(|line| line.starts_with("Tag=verification.service-time.all,"));
    let histogram = series["histogram"].as_str().expect("a text");
    assert!(
        interval.is_some_and(|line| line.ends_with(histogram)),
        "{log}"
    );

    record["phases"][0]["series"][0]["histogram"] = json!("AAAA");
    std::fs::write(folder.path().join("bad.json"), record.to_string()).expect("written");
    let (code, _, error) = of("bad.json", "hlog");
    assert_eq!(code, Some(2));
    assert!(
        error.contains("bad.json: verification: service time of all: not a histogram"),
        "{error}"
    );
}

#[test]
fn a_record_from_before_the_timeline_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut record = timed(folder.path());
    let phase = record["phases"][0].as_object_mut().expect("a phase");
    phase.remove("timeline").expect("it is written");
    std::fs::write(folder.path().join("out.json"), record.to_string()).expect("written");
    let output = run(folder.path(), &["report", "out.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

/// What of a value is not as a schema says, by the keywords that the published one uses; another keyword is a fault, too.
fn faults(value: &Value, schema: &Value, root: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (keyword, wanted) in schema.as_object().expect("a schema is an object") {
        let ok = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let pointer = wanted.as_str().expect("a text").trim_start_matches('#');
                let target = root
                    .pointer(pointer)
                    .unwrap_or_else(|| panic!("{pointer} leads nowhere"));
                found.extend(faults(value, target, root, at));
                true
            }
            "anyOf" => {
                let schemas = wanted.as_array().expect("a list");
                let each = schemas.iter().map(|schema| faults(value, schema, root, at));
                let best = each.min_by_key(Vec::len).unwrap_or_default();
                found.extend(best);
                true
            }
            "const" => value == wanted,
            "enum" => wanted.as_array().expect("a list").contains(value),
            "minimum" => !value.is_number() || value.as_f64() >= wanted.as_f64(),
            "type" => match wanted.as_str().expect("a text") {
                "array" => value.is_array(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_u64() || value.is_i64(),
                "null" => value.is_null(),
                "number" => value.is_number(),
                "object" => value.is_object(),
                "string" => value.is_string(),
                other => panic!("the schema's type {other}"),
            },
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(faults(item, wanted, root, &format!("{at}/{index}")));
                }
                true
            }
            "required" => {
                let names = wanted.as_array().expect("a list");
                !value.is_object()
                    || names
                        .iter()
                        .all(|name| value.get(name.as_str().expect("a name")).is_some())
            }
            "properties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = wanted.get(name) {
                        found.extend(faults(member, schema, root, &format!("{at}/{name}")));
                    }
                }
                true
            }
            "additionalProperties" => value
                .as_object()
                .into_iter()
                .flatten()
                .all(|(name, _)| schema["properties"].get(name).is_some()),
            other => panic!("the schema's keyword {other}"),
        };
        if !ok {
            found.push(format!("{at}: {keyword} is {wanted}"));
        }
    }
    found
}
