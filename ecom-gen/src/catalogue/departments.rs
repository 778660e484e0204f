//! The made-up brands, product names and prices of a general shop, by department.

use crate::parameters::CategoryParameters;

/// A group of similar products: the data from which products of a category are made.
pub(super) struct Department {
    /// The category; `None` for departments that have no category.
    pub(super) category: Option<&'static str>,
    /// The number of visits that begin here and of products, relative to the other departments.
    pub(super) visits: f64,
    /// The mean and the standard deviation of the logarithm of the price.
    pub(super) log_price: (f64, f64),
    /// The brands, the most common first. They are made up, like everything here.
    pub(super) brands: &'static [&'static str],
    pub(super) nouns: &'static [&'static str],
    /// Whether the name of a product ends with a model number.
    pub(super) has_models: bool,
    pub(super) variants: &'static [&'static str],
    /// The index in [`DEPARTMENTS`] of what is bought together with these products.
    pub(super) related: u16,
}

const COLOURS: &[&str] = &["black", "white", "silver", "blue", "red", "graphite"];
const SIZES: &[&str] = &[
    "size S",
    "size M",
    "size L",
    "size XL",
    "slim fit, navy",
    "regular fit, grey",
];
const PACKS: &[&str] = &["pack of 2", "pack of 3", "250 ml", "500 ml", "1 l", "\"family\" size"];
const STATIONERY: &[&str] = &["pack of 2", "pack of 3", "pack of 10", "blue", "green", "gift edition"];
const NONE: &[&str] = &[];

/// The department whose data fill a category: the one at the same index if its category is the same, or else one with
/// the same top level, or else [`ANYTHING`].
pub(super) fn department_for(number: u16, category: &CategoryParameters) -> &'static Department {
    let own = DEPARTMENTS
        .get(usize::from(number))
        .filter(|own| own.category == category.name.as_deref());
    let top = |name: &str| name.split('.').next().map(str::to_owned);
    let wanted = category.name.as_deref().and_then(top);
    let same_top_level = || DEPARTMENTS.iter().find(|other| other.category.and_then(top) == wanted);
    own.or_else(same_top_level).unwrap_or(&ANYTHING)
}

static ANYTHING: Department = Department {
    category: None,
    visits: 1.0,
    log_price: (4.0, 1.0),
    brands: &["Norvik", "Halden", "Artemia", "Corso", "Velora", "Folio"],
    nouns: &["Article", "Set", "Original", "Classic", "Box"],
    has_models: true,
    variants: COLOURS,
    related: 0,
};

pub(super) static DEPARTMENTS: &[Department] = &[
    Department {
        category: Some("electronics.smartphone"),
        visits: 21.0,
        log_price: (5.6, 0.75),
        brands: &[
            "Norvik",
            "Pomona",
            "Xeno",
            "Halden",
            "Orbis",
            "Tessel",
            "Quanta Mobile",
            "Vivace",
        ],
        nouns: &[
            "Smartphone 64 GB",
            "Smartphone 128 GB",
            "Smartphone 256 GB",
            "Phone 6.1\" OLED",
            "Phone, dual SIM",
        ],
        has_models: true,
        variants: COLOURS,
        related: 14,
    },
    Department {
        category: Some("electronics.audio.headphone"),
        visits: 5.0,
        log_price: (4.1, 0.95),
        brands: &["Norvik", "Aria", "Sonder", "Pomona", "Klang & Co", "Bassline"],
        nouns: &[
            "Headphones",
            "Wireless Headphones",
            "In-Ear Headphones",
            "Earbuds, noise cancelling",
        ],
        has_models: true,
        variants: COLOURS,
        related: 14,
    },
    Department {
        category: Some("electronics.video.tv"),
        visits: 5.0,
        log_price: (5.8, 0.7),
        brands: &["Norvik", "Lumen", "Halden", "Sonder", "Artemia"],
        nouns: &["TV 32\" HD", "TV 43\" 4K", "TV 55\" 4K", "TV 65\" OLED"],
        has_models: true,
        variants: NONE,
        related: 1,
    },
    Department {
        category: Some("electronics.clocks"),
        visits: 4.0,
        log_price: (5.0, 0.9),
        brands: &["Meridian", "Pomona", "Corvina", "Halden", "Tick, Tock & Sons"],
        nouns: &["Watch", "Smart Watch", "Chronograph", "Fitness Band"],
        has_models: true,
        variants: COLOURS,
        related: 14,
    },
    Department {
        category: Some("computers.notebook"),
        visits: 4.5,
        log_price: (6.4, 0.5),
        brands: &["Levant", "Asterix", "Pomona", "Hollis Grove", "Delta"],
        nouns: &["Laptop 13.3\"", "Laptop 14\"", "Laptop 15.6\"", "Gaming Laptop 17.3\""],
        has_models: true,
        variants: &["8 GB, 256 GB SSD", "16 GB, 512 GB SSD", "32 GB, 1 TB SSD"],
        related: 14,
    },
    Department {
        category: Some("computers.peripherals.monitor"),
        visits: 2.0,
        log_price: (5.3, 0.55),
        brands: &["Lumen", "Asterix", "Delta", "Norvik"],
        nouns: &["Monitor 24\"", "Monitor 27\"", "Curved Monitor 34\""],
        has_models: true,
        variants: COLOURS,
        related: 4,
    },
    Department {
        category: Some("appliances.kitchen.refrigerators"),
        visits: 4.0,
        log_price: (5.8, 0.6),
        brands: &["Artemia", "Lumen", "Indus", "Halden", "Boreal"],
        nouns: &["Refrigerator", "Fridge-Freezer", "Chest Freezer"],
        has_models: true,
        variants: &["height 185 cm", "height 200 cm", "built-in", "stainless steel"],
        related: 8,
    },
    Department {
        category: Some("appliances.environment.vacuum"),
        visits: 4.5,
        log_price: (4.7, 0.9),
        brands: &["Norvik", "Zephyr", "Artemia", "Redstone"],
        nouns: &["Vacuum Cleaner", "Cordless Vacuum Cleaner", "Robot Vacuum"],
        has_models: true,
        variants: COLOURS,
        related: 8,
    },
    Department {
        category: Some("appliances.kitchen.kettle"),
        visits: 3.0,
        log_price: (3.4, 0.6),
        brands: &["Redstone", "Artemia", "Vitesse", "Scarlet"],
        nouns: &["Kettle 1.7 l", "Electric Kettle", "Toaster", "Coffee Maker"],
        has_models: true,
        variants: COLOURS,
        related: 6,
    },
    Department {
        category: Some("apparel.shoes"),
        visits: 5.0,
        log_price: (4.3, 0.54),
        brands: &["Stride", "Alpina", "Corso", "Runa", "Baltic"],
        nouns: &["Running Shoes", "Sneakers", "Boots", "Sandals"],
        has_models: false,
        variants: &["EU 38", "EU 40", "EU 42", "EU 44", "EU 45 1/2, wide"],
        related: 10,
    },
    Department {
        category: Some("apparel.shirt"),
        visits: 3.0,
        log_price: (3.6, 0.55),
        brands: &["Baltic", "Corso", "Fable & Thread", "Runa"],
        nouns: &["Shirt", "T-Shirt", "Polo Shirt", "Blouse"],
        has_models: false,
        variants: SIZES,
        related: 9,
    },
    Department {
        category: Some("auto.accessories.player"),
        visits: 2.5,
        log_price: (4.75, 0.74),
        brands: &["Pionea", "Sonder", "Artway"],
        nouns: &["Car Radio", "Dash Camera", "Car Player 7\"", "Navigation System"],
        has_models: true,
        variants: NONE,
        related: 14,
    },
    Department {
        category: Some("kids.toys"),
        visits: 2.5,
        log_price: (3.3, 0.9),
        brands: &["Legato", "Bambola", "Kinderspiel", "Pip & Pop"],
        nouns: &[
            "Building Blocks",
            "Doll",
            "Puzzle \"Ocean\"",
            "Board Game \"The Harbour\"",
            "Toy Train",
        ],
        has_models: false,
        variants: &["from 3 years", "from 6 years", "from 8 years, 2-4 players"],
        related: 18,
    },
    Department {
        category: Some("furniture.living_room.sofa"),
        visits: 2.0,
        log_price: (5.9, 0.8),
        brands: &["Hygge Home", "Brookwood", "Casa Lina"],
        nouns: &["Sofa", "Corner Sofa", "Armchair", "Coffee Table"],
        has_models: false,
        variants: COLOURS,
        related: 13,
    },
    Department {
        category: None,
        visits: 8.0,
        log_price: (3.4, 0.9),
        brands: &["Norvik", "Case & Co", "Tessel", "Shieldon"],
        nouns: &[
            "Phone Case",
            "Screen Protector",
            "Charging Cable USB-C",
            "Power Bank",
            "Memory Card",
        ],
        has_models: true,
        variants: COLOURS,
        related: 0,
    },
    Department {
        category: None,
        visits: 7.0,
        log_price: (4.3, 1.1),
        brands: &["Bosko", "Hammerfest", "Metabolt", "Rivet"],
        nouns: &[
            "Cordless Drill",
            "Screwdriver Set",
            "Ladder",
            "Hose 1/2\"",
            "Angle Grinder",
        ],
        has_models: true,
        variants: NONE,
        related: 15,
    },
    Department {
        category: None,
        visits: 6.0,
        log_price: (3.3, 0.8),
        brands: &["Verbena", "L'Aube", "Nordic Skin", "Purely"],
        nouns: &["Shampoo", "Day Cream", "Eau de Toilette", "Soap \"Lavender\""],
        has_models: false,
        variants: PACKS,
        related: 16,
    },
    Department {
        category: None,
        visits: 5.0,
        log_price: (3.9, 1.0),
        brands: &["Alpina", "Stride", "Velora", "Camp & Trail"],
        nouns: &["Yoga Mat", "Tent", "Sleeping Bag", "Bicycle Helmet", "Dumbbell"],
        has_models: false,
        variants: COLOURS,
        related: 9,
    },
    Department {
        category: None,
        visits: 4.0,
        log_price: (2.9, 0.7),
        brands: &["Papyrus", "Quill & Ink", "Folio"],
        nouns: &[
            "Notebook A5",
            "Ballpoint Pens",
            "Desk Calendar",
            "Paperback \"A Winter's Tale\"",
        ],
        has_models: false,
        variants: STATIONERY,
        related: 12,
    },
];
