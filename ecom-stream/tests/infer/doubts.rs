//! Files with a column that looks like a field of an event and is something else: `infer` never takes it without a word.

use super::infer;

/// The active lines of a proposal, without comments.
fn active(toml: &str) -> Vec<&str> {
    toml.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .collect()
}

/// Asserts that the proposal leaves `missing` to a person, and has all of `told`.
async fn doubts(text: &str, missing: &[&str], told: &[&str]) {
    let (proposal, _) = infer("shop.csv", text).await;
    let toml = &proposal.toml;
    assert_eq!(proposal.missing, missing, "{toml}");
    for told in told {
        assert!(toml.contains(told), "{told}\n{toml}");
    }
}

/// Asserts that the proposal is complete, has all of `lines` as active lines, and that all rows can be stored.
async fn is_clear(text: &str, lines: &[&str]) -> String {
    let (proposal, checked) = infer("shop.csv", text).await;
    let toml = proposal.toml;
    assert!(proposal.missing.is_empty(), "{toml}");
    for line in lines {
        assert!(active(&toml).contains(line), "{line}\n{toml}");
    }
    assert!(checked.unwrap().is_clean(), "{toml}");
    toml
}

#[tokio::test]
async fn thousands_or_decimals_are_left_to_a_person() {
    let head = "event_time,event_type,user_id,session_id,product_id,price\n";
    let row = |n: usize, price: &str| format!("2026-11-01T09:30:0{n}Z,purchase,u{n},s{n},p{n},\"{price}\"\n");
    let file = |prices: &[&str]| {
        head.to_owned()
            + &prices
                .iter()
                .enumerate()
                .map(|(n, price)| row(n, price))
                .collect::<String>()
    };
    let yen = file(&["1,980", "3,480", "12,800", "980"]);
    let told = [
        "# \"1,980\" is 1.980:\n# decimal = \",\"\n",
        "# \"1,980\" is 1980.000:\n# thousands = \",\"\n",
        "decimal = \"TO BE FILLED IN\"\n",
    ];
    doubts(&yen, &["decimal"], &told).await;
    for prices in [&["150.000", "89.500"][..], &["12.990"], &["1,250", "2,500"]] {
        doubts(&file(prices), &["decimal"], &["decimal = \"TO BE FILLED IN\"\n"]).await;
    }
    // One value that can be read in one way only decides.
    is_clear(&file(&["1,980", "1,234,500"]), &["thousands = \",\""]).await;
    is_clear(&file(&["1,980", "12,5"]), &["decimal = \",\""]).await;
    is_clear(&file(&["1.98", "12.50", "1980"]), &[]).await;
}

#[tokio::test]
async fn the_total_of_a_line_is_not_taken_for_the_price_of_one_piece() {
    let head = "event_time,event_type,user_id,session_id,product_id";
    let row = "2026-11-01T10:00:00Z,purchase,h1,b1";
    let file =
        |columns: &str, fuel: &str, milk: &str| format!("{head},{columns}\n{row},fuel,{fuel}\n{row},milk,{milk}\n");
    for name in ["amount", "total", "line amount", "revenue", "Sales"] {
        let text = file(&format!("{name},quantity"), "30.00,12500", "3.00,3");
        let told = format!(
            "# price = \"{name}\"\n# line_total = \"{name}\"\nprice = \"TO BE FILLED IN\"\nquantity = \"quantity\"\n"
        );
        let told = told.replace("quantity = ", "# \"quantity\": \"12500\", \"3\"\nquantity = ");
        let why = "it may be the total of the line: 30.00 for 12500 pieces, or 375000.00 if it is the price of one.\n";
        doubts(&text, &["price"], &[&told, why]).await;
    }
    // It has just the name of the field, beside a price or alone.
    is_clear(
        &file("line_total,quantity", "30.00,12500", "3.00,3"),
        &["line_total = \"line_total\""],
    )
    .await;
    for name in ["cost", "unit_cost", "list_price"] {
        let text = file(&format!("{name},quantity"), "30.00,1", "3.00,3");
        doubts(&text, &["price"], &[&format!("# price = \"{name}\"\n")]).await;
    }
    // The values say which of two is which.
    let text = file("price,unit_price,quantity", "6.00,3.00,2", "9.00,3.00,3");
    is_clear(&text, &["price = \"unit_price\""]).await;
    let text = file("price,total,quantity", "3.00,6.00,2", "3.00,9.00,3");
    is_clear(&text, &["price = \"price\""]).await;
    let text = file("price,total,quantity", "6.00,6.00,2", "9.00,9.00,3");
    doubts(&text, &["price"], &["\"6.00\" × \"2\" is not \"6.00\" of \"total\""]).await;
    // Nothing is doubtful about a price beside a cost, or beside a price without the discount.
    is_clear(
        &file("price,cost,list_price,quantity", "6.00,3.00,7.00,2", "9.00,3.00,9.00,3"),
        &["price = \"price\""],
    )
    .await;
    doubts(
        &file("price,sale_price", "6.00,5.00", "9.00,9.00"),
        &["price"],
        &["# price = \"sale_price\"\n"],
    )
    .await;
}

#[tokio::test]
async fn the_time_of_another_moment_is_not_taken() {
    let text = "order_id,customer_id,product_id,price,delivered_at,order_purchase_timestamp\n\
                o1,c1,p1,10.00,2026-11-05 10:00:00,2026-11-01 10:00:00\n\
                o2,c2,p1,10.00,2026-11-06 10:00:00,2026-11-01 11:00:00\n";
    let (proposal, _) = infer("olist.csv", text).await;
    assert_eq!(proposal.missing, ["event_type"], "{}", proposal.toml);
    for told in [
        "\nevent_time = { column = \"order_purchase_timestamp\", format = \"%Y-%m-%d %H:%M:%S\" }\n",
        "# \"delivered_at\" has times too, of another moment by its name (\"delivered\"): \"2026-11-05 10:00:00\"\n",
    ] {
        assert!(proposal.toml.contains(told), "{told}\n{}", proposal.toml);
    }
    for name in [
        "shipping_limit_date",
        "birthday",
        "due_date",
        "expiresAt",
        "Estimated delivery",
        "updated_at",
    ] {
        let text = format!("{name},action,user_id,session_id,product_id\n2026-11-05 10:00:00,view,u,s,p\n");
        let told = format!("# event_time = {{ column = \"{name}\", format = \"%Y-%m-%d %H:%M:%S\" }}\n");
        doubts(&text, &["event_time"], &[&told]).await;
    }
    // Two that are as good, and two of which one has just the days of the other.
    let two = |name: &str, value: &str| {
        format!("{name},created_at,action,user_id,session_id,product_id\n{value},2026-11-05 10:00:00,view,u,s,p\n")
    };
    doubts(
        &two("paid_at", "2026-11-06 10:00:00"),
        &["event_time"],
        &["# event_time = { column = \"paid_at\""],
    )
    .await;
    is_clear(
        &two("date", "2026-11-05"),
        &["event_time = { column = \"created_at\", format = \"%Y-%m-%d %H:%M:%S\" }"],
    )
    .await;
    // A date of long ago whose name says nothing.
    let text = "geboren,action,user_id,session_id,product_id\n2001-11-05,view,u,s,p\n2019-01-02,view,v,s,p\n";
    doubts(text, &["event_time"], &["# event_time = { column = \"geboren\""]).await;
}

#[tokio::test]
async fn a_date_is_joined_with_the_time_of_day_that_belongs_to_it() {
    let file = |times: &str, first: &str, second: &str| {
        format!(
            "Date,{times},Type,Customer,Session,SKU,Price\n\
             2026-11-01,{first},purchase,u0,s0,p0,9.90\n2026-11-13,{second},purchase,u1,s1,p1,9.90\n"
        )
    };
    for (times, first, second, format) in [
        ("Time", "09:30:00", "13:15:00", "%H:%M:%S"),
        ("Time", "09:30:00.25", "13:15:00", "%H:%M:%S%.f"),
        ("Order Time", "9:30 AM", "12:05 PM", "%I:%M %p"),
        ("hour", "9", "13", "%H"),
        ("hour", "9 AM", "12 PM", "%I %p"),
        ("Uhrzeit", "0930", "1315", "%H%M"),
        ("Time", "093000", "131500", "%H%M%S"),
        ("Time", "9.30", "13.15", "%H.%M"),
    ] {
        let line = format!("event_time = {{ columns = [\"Date\", \"{times}\"], format = \"%Y-%m-%d {format}\" }}");
        is_clear(&file(times, first, second), &[&line]).await;
    }
    // Some other moment of the day; or two of them.
    for (times, value) in [("Lieferung", "09:30"), ("delivery time", "09:30")] {
        let told = format!(
            "\"{times}\" has a time of day (\"{value}\"): with the day alone, every event would be at midnight"
        );
        let day = "# event_time = { column = \"Date\", format = \"%Y-%m-%d\" }\n";
        let both = format!("# event_time = {{ columns = [\"Date\", \"{times}\"], format = \"%Y-%m-%d %H:%M\" }}\n");
        doubts(&file(times, value, value), &["event_time"], &[&told, &both, day]).await;
    }
    let two = file("Time,Hour", "09:30,9", "10:00,10");
    let told = [
        "# event_time = { columns = [\"Date\", \"Time\"], format = \"%Y-%m-%d %H:%M\" }\n",
        "# event_time = { columns = [\"Date\", \"Hour\"], format = \"%Y-%m-%d %H\" }\n",
    ];
    doubts(&two, &["event_time"], &told).await;
    // Day and month stay in doubt.
    let swapped = file("Time", "09:30", "10:00")
        .replace("2026-11-01", "01/11/2026")
        .replace("2026-11-13", "03/11/2026");
    let told = [
        "[\"Date\", \"Time\"], format = \"%d/%m/%Y %H:%M\"",
        "[\"Date\", \"Time\"], format = \"%m/%d/%Y %H:%M\"",
    ];
    doubts(&swapped, &["event_time"], &told).await;
}

#[tokio::test]
async fn a_time_is_read_in_the_zone_that_another_column_gives() {
    let file = |first: &str, second: &str| {
        format!(
            "Date,TimeZone,Type,Customer,Session,SKU\n\
             2026-11-01 10:00,{first},view,u0,s0,p0\n2026-11-13 10:00,{second},view,u1,s1,p1\n"
        )
    };
    for zone in ["Europe/Berlin", "+02:00", "UTC", "-0300"] {
        let line = format!("event_time = {{ column = \"Date\", format = \"%Y-%m-%d %H:%M\", zone = \"{zone}\" }}");
        is_clear(&file(zone, zone), &[&line]).await;
    }
    for (first, second, read_by) in [
        ("Europe/Berlin", "Asia/Tokyo", "%Q"),
        ("UTC", "Asia/Tokyo", "%Q"),
        ("+01:00", "+09:00", "%:z"),
        ("+0100", "-0330", "%z"),
    ] {
        let format = format!("%Y-%m-%d %H:%M {read_by}");
        let joined = format!("event_time = {{ columns = [\"Date\", \"TimeZone\"], format = \"{format}\" }}");
        is_clear(&file(first, second), &[&joined]).await;
    }
    // An abbreviation has several meanings.
    let told = [
        "its zone stands in \"TimeZone\" (\"IST\", \"PST\")",
        "# event_time = { columns = [\"Date\", \"TimeZone\"], format = \"%Y-%m-%d %H:%M %Z\", \
         zones = { \"IST\" = \"TO BE FILLED IN\", \"PST\" = \"TO BE FILLED IN\" } }\n",
    ];
    doubts(&file("PST", "IST"), &["event_time"], &told).await;
    doubts(
        &file("-480", "-480"),
        &["event_time"],
        &["its zone stands in \"TimeZone\" (\"-480\")"],
    )
    .await;
    let apart = "Date,Time,Time zone,Type,Customer,Session,SKU\n\
                 01.11.2026,10:00,+01:00,view,u0,s0,p0\n13.11.2026,10:00,+02:00,view,u1,s1,p1\n";
    let line = "event_time = { columns = [\"Date\", \"Time\", \"Time zone\"], format = \"%d.%m.%Y %H:%M %:z\" }";
    is_clear(apart, &[line]).await;
}

#[tokio::test]
async fn prices_with_currencies_and_noise_get_their_keys() {
    let head = "event_time,event_type,user_id,session_id,product_id,price\n";
    let file = |prices: &[&str]| {
        let rows = prices.iter().enumerate();
        let rows = rows.map(|(n, price)| format!("2026-11-01T10:00:0{n}Z,purchase,u{n},s{n},p{n},\"{price}\"\n"));
        head.to_owned() + &rows.collect::<String>()
    };
    for (prices, lines) in [
        (
            &["$12.50", "$1,980.00", "$ 7.25"][..],
            &["currency_words = [\"$\"]", "thousands = \",\""][..],
        ),
        (
            &["12,50 \u{20ac}", "1.980,00 \u{20ac}"],
            &["currency_words = [\"\u{20ac}\"]", "decimal = \",\""],
        ),
        (
            &["$12.50 USD", "7.25 USD", "3.10"],
            &["currency_words = [\"$\", \"USD\"]"],
        ),
        (&["19.990000000000002", "5.1", "12.50"], &["rounding = \"half_up\""]),
    ] {
        is_clear(&file(prices), lines).await;
    }
    let several = file(&["$12.50", "\u{20ac}7.25"]);
    let (proposal, checked) = infer("shop.csv", several).await;
    for told in ["# currency_words = [\"$\"]\n", "# currency_words = [\"\u{20ac}\"]\n"] {
        assert!(proposal.toml.contains(told), "{told}\n{}", proposal.toml);
    }
    assert_eq!(checked.unwrap().accepted, 0);
    // More decimals than two that are meant are no noise.
    let toml = infer("shop.csv", file(&["7.2551", "1.12"])).await.0.toml;
    assert!(
        !toml.contains("rounding") && toml.contains("such as \"7.2551\""),
        "{toml}"
    );
}

#[tokio::test]
async fn ids_that_repeat_or_are_empty_are_doubtful() {
    let mut text = "uuid,timestamp,event,item_id,session_id,user_id\n".to_owned();
    for n in 0..8 {
        let (of, second) = (n % 2, n / 4);
        text += &format!("0b5d7c9e-1111-4222-8333-00000000000{of},2026-11-01T09:30:0{second}Z,view,p{n},s{of},u{of}\n");
    }
    let toml = is_clear(&text, &["ids = \"position\""]).await;
    assert!(toml.contains("its values repeat: 6 of 8 rows"), "{toml}");
    assert!(toml.contains("# event_id = \"uuid\"\n"), "{toml}");
    // Rows that are sent again as a whole are the same event.
    let row = |n: u8| format!("e{n},2026-11-01T09:30:00Z,view,p,s,u\n");
    let again =
        "event_id,event_time,event_type,product_id,session_id,user_id\n".to_owned() + &row(1) + &row(2) + &row(1);
    is_clear(&again, &["event_id = \"event_id\""]).await;

    let head = "event_time,event_type,session_id,product_id,user_id,user_pseudo_id\n2026-11-01T10:00:00Z,view,s,p";
    for user in ["", "u"] {
        let text = format!("{head},{user},a.1\n2026-11-01T10:00:01Z,view,s,p,,a.2\n");
        let told = ["# user_id = \"user_id\"\n", "# user_id = \"user_pseudo_id\"\n"];
        doubts(&text, &["user_id"], &told).await;
    }
    let full = format!("{head},u,a.1\n");
    is_clear(&full, &["user_id = \"user_id\""]).await;
    // A customer of each order, and the person behind it.
    let text = "event_time,event_type,session_id,product_id,customer_id,customer_unique_id\n\
                2026-11-01T10:00:00Z,view,s1,p,c1,person\n2026-11-01T10:00:01Z,view,s2,p,c2,person\n";
    doubts(text, &["user_id"], &["# user_id = \"customer_unique_id\"\n"]).await;
    // The numbers of a user's visits.
    let rows = (0..9).map(|n| format!("2026-11-01T10:00:0{n}Z,view,u{n},{},p\n", n % 3 + 1));
    let text = "event_time,event_type,user_id,visit,product_id\n".to_owned() + &rows.collect::<String>();
    doubts(
        &text,
        &["session_id"],
        &["it may be a number of visits and not of one visit"],
    )
    .await;
}

#[tokio::test]
async fn words_that_seem_to_mean_the_same_are_left_to_a_person() {
    let file = |name: &str, words: &[&str]| {
        let rows = words
            .iter()
            .enumerate()
            .map(|(n, word)| format!("2026-11-01T10:00:0{n}Z,{word},u,s,p,1.00\n"));
        format!("event_time,{name},user_id,session_id,product_id,price\n") + &rows.collect::<String>()
    };
    let pages = file("event", &["view", "add_to_cart", "cart", "purchase"]);
    let entry = "\nevent_type = { column = \"event\", values = { \"cart\" = \"TO BE FILLED IN\" } }\n";
    let told = "# \"cart\" may mean add_to_cart, but \"add_to_cart\" does so too: what is the difference?\n";
    doubts(&pages, &["event_type"], &[entry, told]).await;
    // A page is not an item.
    is_clear(
        &file("event", &["page_view", "view_item"]),
        &["event_type = { column = \"event\", values = { \"view_item\" = \"view\" } }"],
    )
    .await;
    doubts(
        &file("event", &["pv", "view_item"]),
        &["event_type"],
        &["\"pv\" = \"TO BE FILLED IN\""],
    )
    .await;
    // Spellings of one word are one word, and a word without a rival is translated.
    is_clear(&file("event", &["View", "view", "cart", "Purchase"]), &[]).await;

    let text = "event_time,status,action,user_id,session_id,product_id\n\
                2026-11-01T10:00:00Z,order,look,u,s,p\n2026-11-01T10:00:01Z,cart,take,u,s,p\n\
                2026-11-01T10:00:02Z,cart,look,u,s,p\n";
    let both = [
        "# event_type = { column = \"action\"",
        "# event_type = { column = \"status\"",
    ];
    doubts(text, &["event_type"], &both).await;
    doubts(
        &file("order_status", &["order", "cart"]),
        &["event_type"],
        &["speaks of a state"],
    )
    .await;
    let known = text.replace("look", "view").replace("take", "add_to_cart");
    is_clear(&known, &["event_type = \"action\""]).await;
}

#[tokio::test]
async fn a_name_that_is_not_that_of_a_product_is_not_taken() {
    let text = "Name,Email,Paid at,Subtotal,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku\n\
                #1001,a@example.com,2026-10-01 10:15:43 +0200,59.90,64.80,2026-10-01 10:15:41 +0200,2,Mug blue,19.95,MUG-B\n\
                #1001,,,,,2026-10-01 10:15:41 +0200,1,Tea towel,20.00,TT-1\n\
                #1002,b@example.com,2026-10-01 23:59:59 +0200,120.00,120.00,2026-10-01 23:59:57 +0200,1,Lamp,132.00,LMP\n";
    let (proposal, _) = infer("orders.csv", text).await;
    let active = active(&proposal.toml);
    for line in [
        "product_id = \"Lineitem sku\"",
        "product_name = \"Lineitem name\"",
        "price = \"Lineitem price\"",
        "quantity = \"Lineitem quantity\"",
    ] {
        assert!(active.contains(&line), "{line}\n{}", proposal.toml);
    }
    assert_eq!(
        proposal.missing,
        ["event_time", "event_type", "session_id"],
        "{}",
        proposal.toml
    );
    // Without a better one, a name must depend on the product, and have letters.
    let file = |first: &str, second: &str| {
        format!(
            "event_time,event_type,user_id,session_id,product_id,name\n\
             2026-11-01T10:00:00Z,view,u,s,p,{first}\n2026-11-01T10:00:01Z,view,u,s,p,{second}\n"
        )
    };
    let lamp = is_clear(&file("Lamp", "Lamp"), &["product_name = \"name\""]).await;
    assert!(!lamp.contains("TO BE FILLED IN"), "{lamp}");
    for other in [file("Ann", "Bob"), file("#1001", "#1001")] {
        let toml = is_clear(&other, &[]).await;
        assert!(toml.contains("# product_name = \"name\"\n"), "{toml}");
    }
}

#[tokio::test]
async fn an_ordinary_file_is_complete_without_noise() {
    let text = "event_id,event_time,event_type,user_id,session_id,product_id,product_name,category,brand,price,quantity\n\
                e1,2026-11-01T10:00:00Z,view,u1,s1,p1,Lamp,home.light,acme,12.50,1\n\
                e2,2026-11-01T10:00:01Z,purchase,u2,s2,p2,Rug,home.floor,acme,99.00,2\n";
    let toml = is_clear(text, &[]).await;
    assert_eq!(active(&toml).len(), 12, "{toml}");
    assert!(!toml.contains("TO BE FILLED IN"), "{toml}");
    assert_eq!(toml.lines().filter(|line| line.starts_with('#')).count(), 13, "{toml}");
}
