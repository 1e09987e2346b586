"use strict";
const Picture = { open() {} };
