-- What tells the directories of a pipeline from others, so that no pipeline takes files from under another one, whatever
-- name the directories have: symbolic links, bind mounts, directories inside others, renamed ones.
--
-- Rows of earlier versions keep an empty object: their sources are compared by location until the pipeline starts again.
-- Running this file again changes nothing.

ALTER TABLE ecom.ingest_pipeline
    ADD COLUMN IF NOT EXISTS directories jsonb NOT NULL DEFAULT '{}';

COMMENT ON COLUMN ecom.ingest_pipeline.directories IS
    'What tells the directories that the sources read, and those to which they archive files, from others, as an object '
    'by source name. Written at each start: paths, inodes and devices, places in file systems, the boot and the machine '
    'in which they were seen, and whether subdirectories are read.';
