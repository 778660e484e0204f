-- What files say of an event besides: columns that the mapping of a pipeline does not know and was asked to keep.

ALTER TABLE ecom.events ADD COLUMN IF NOT EXISTS extra jsonb;

COMMENT ON COLUMN ecom.events.extra IS
    'What its file says besides, by the names of the columns there; null unless the mapping of the pipeline keeps it. '
    'SELECT extra ->> ''colour'' FROM ecom.events.';
COMMENT ON COLUMN ecom.events.price IS
    'Price of one piece, in the currency of the shop; there for a purchase, unless the mapping of the pipeline lets it be absent.';
