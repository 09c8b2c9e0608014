use proptest::{prelude::*, sample::Index};

use super::*;

proptest! {
    #[test]
    fn no_change_to_a_file_makes_the_reader_panic(
        changes in prop::collection::vec((any::<Index>(), any::<Index>(), "[ -~\\n]{0,6}|\\PC"), 1..8),
        file in prop::sample::select(vec![SHIPPED, super::show::EVERYTHING]),
    ) {
        let mut text: Vec<char> = file.chars().collect();
        for (from, length, insert) in changes {
            let from = from.index(text.len());
            let to = (from + length.index(12)).min(text.len());
            text.splice(from..to, insert.chars());
        }
        let text: String = text.into_iter().collect();
        match read_in(&text, &environment(SECRETS)) {
            Ok(stack) => prop_assert!(!show(&stack).is_empty()),
            Err(errors) => {
                prop_assert!(!errors.faults().is_empty());
                prop_assert!(!errors.to_string().contains("hunter2"));
            }
        }
    }

    #[test]
    fn no_dotenv_makes_the_reader_panic(text in "([A-Z]{1,3}|[ =:\"'#$\\\\{}?\\n-]|\\PC){0,60}") {
        let result = read(&inputs(SHIPPED, Some(&text)), &environment(SECRETS), look);
        if let Err(errors) = result {
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn no_reference_makes_the_reader_panic(value in "(\\$|\\{|\\}|:|-|\\?|[a-c.]|é){0,40}") {
        let text = format!("project = \"p\"\n[services.a]\nimage = '''{value}'''\n");
        if let Err(errors) = read_in(&text, &environment([])) {
            prop_assert!(!errors.faults().is_empty());
        }
    }
}
