/* Comfort for the pages of accounts, audiences, templates and campaigns; all of them work without it. */
"use strict";
