// Rules of the page's JavaScript and of its tests.

import js from "@eslint/js";
import globals from "globals";

export default [
    js.configs.recommended,
    {
        languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
        linterOptions: { reportUnusedDisableDirectives: "error" },
        rules: {
            "array-callback-return": "error",
            "consistent-return": "error",
            "default-param-last": "error",
            eqeqeq: "error",
            "no-implicit-coercion": ["error", { allow: ["!!"] }],
            "no-loss-of-precision": "error",
            "no-restricted-properties": [
                "error",
                ...["innerHTML", "outerHTML", "insertAdjacentHTML", "write", "localStorage", "sessionStorage"].map(
                    (property) => ({ property, message: "Texts are text nodes; a page in a frame has no storage." }),
                ),
            ],
            "no-restricted-globals": [
                "error", "localStorage", "sessionStorage", "fetch", "XMLHttpRequest", "event", "name",
            ],
            "no-self-compare": "error",
            "no-unused-vars": ["error", { args: "after-used" }],
            "no-useless-assignment": "error",
            "no-var": "error",
            "object-shorthand": "error",
            "prefer-const": "error",
            "max-lines": ["error", { max: 400 }],
            "max-len": ["error", { code: 120 }],
            quotes: ["error", "double", { avoidEscape: true, allowTemplateLiterals: false }],
            semi: ["error", "always"],
        },
    },
    { files: ["**/*.mjs"], languageOptions: { globals: globals.node } },
];
