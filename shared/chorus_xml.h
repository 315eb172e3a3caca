/*
 * A bounded reader of XML on expat, and an escaping writer.  Private to the
 * files of shared/ that know a document; others include chorus_s3_xml.h.
 */

#ifndef CHORUS_XML_H
#define CHORUS_XML_H

#include <stdbool.h>

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"

#define CHORUS_XML_PATH_DEPTH  4


typedef struct chorus_xml_reader_s  chorus_xml_reader_t;

/* CHORUS_OK goes on, anything else stops; so does setting is_done. */
typedef chorus_rc_t (*chorus_xml_element_pt)(chorus_xml_reader_t *reader,
    chorus_str_t name);

struct chorus_xml_reader_s {
    /* filled in by the caller, all else zero */
    chorus_mem_t           *mem;
    chorus_error_t         *error;
    const char             *root;       /* the document element; NULL: any */
    chorus_xml_element_pt   start;
    chorus_xml_element_pt   end;
    void                   *data;

    /* for the handlers */
    unsigned                depth;      /* 1 in the document element */
    chorus_str_t            path[CHORUS_XML_PATH_DEPTH];    /* local names */
    bool                    keeps_text;
    chorus_buf_t            text;
    bool                    is_done;

    void                   *parser;
    chorus_rc_t             rc;         /* why it stopped */
};


/* Entities are not expanded, a document type is refused, CHORUS_XML_MAX_*
 * hold. */
chorus_rc_t chorus_xml_read(chorus_xml_reader_t *reader, chorus_str_t body);

/* The body, with blanks for references to control characters, which XML does
 * not have: what a storage repeats of a request may hold them, for all that
 * keys are encoded (Ceph).  A copy in `mem` if there are any; the null string
 * when out of memory. */
chorus_str_t chorus_xml_clean(chorus_mem_t *mem, chorus_str_t body);

/* For `start`: collects the text from here on in reader->text. */
void chorus_xml_keep_text(chorus_xml_reader_t *reader);

/* Whether the element is `inner` in `outer`; depth is 2 to 4. */
bool chorus_xml_is_at(const chorus_xml_reader_t *reader, unsigned depth,
    const char *outer, const char *inner);


#endif
